"""The feed of who uses which GPU class: read when somebody asks, and only what nobody else may have written."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.gpu.users import published
from reconciler.gpu.users.model import Census, ClassName, Users
from reconciler.gpu.users.published import encode
from reconciler.gpu.users.told import told
from reconciler.limits import CENSUS_REFRESH_SECONDS, REVIEW_THREAD_BYTES
from webhook.server import census as module
from webhook.server.census import CensusFeed
from webhook.server.documents import TooBigForLoopError

CENSUS = Census("2030-01-01T00:00:00Z", {ClassName("DeviceClass", "a100"): Users(running=3, namespaces=1)})


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(mode)
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / published.FILE


@pytest.fixture
def feed(path: Path) -> CensusFeed:
    return CensusFeed(path, time.time)


def test_without_a_file_nobody_knows(feed: CensusFeed) -> None:
    assert feed.current() is None


def test_a_new_file_is_read_by_the_next_who_asks(feed: CensusFeed, path: Path) -> None:
    write(path, encode(CENSUS))
    assert feed.current() == CENSUS
    later = replace(CENSUS, at="2030-01-01T00:00:09Z", classes={})
    write(path, encode(later))
    assert feed.current() == later
    path.unlink()
    assert feed.current() is None


def test_a_file_that_nobody_renews_is_no_proof_that_a_class_has_no_users(feed: CensusFeed, path: Path) -> None:
    write(path, encode(CENSUS))
    assert feed.current() == CENSUS
    old = time.time() - 6 * CENSUS_REFRESH_SECONDS
    os.utime(path, (old, old))
    found = feed.current()
    assert found is not None
    assert (found.classes, dict(found.unseen)) == (CENSUS.classes, {"*": f"nobody has counted since {CENSUS.at}"})
    assert told([ClassName("DeviceClass", "other")], found, []) == (
        f"Who uses it is not known: nobody has counted since {CENSUS.at}",
    )


def test_a_file_is_read_once_and_only_when_somebody_asks(
    path: Path, feed: CensusFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[bytes]()

    def counted(data: bytes) -> Census:
        read.append(data)
        return published.decode(data)

    monkeypatch.setattr(module, "decode", counted)
    write(path, encode(CENSUS))
    assert read == []
    assert [feed.current(), feed.current()] == [CENSUS, CENSUS]
    assert len(read) == 1


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"format":"0"}', encode(CENSUS) + b"x"])
def test_of_a_damaged_file_nothing_is_told_but_that_once(
    feed: CensusFeed, path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, encode(CENSUS))
    assert feed.current() == CENSUS
    write(path, data)
    with caplog.at_level(logging.ERROR, "setscrew.admission"):
        assert [feed.current(), feed.current()] == [None, None]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_what_others_may_write_is_not_believed(feed: CensusFeed, path: Path, mode: int) -> None:
    write(path, encode(CENSUS), mode)
    assert feed.current() is None
    path.chmod(0o600)
    assert feed.current() == CENSUS


def test_a_big_one_is_read_in_a_thread_so_that_no_other_review_waits(feed: CensusFeed, path: Path) -> None:
    many = {ClassName("DeviceClass", f"class-{n:04}-" + "x" * 300): Users(running=n) for n in range(1_000)}
    data = encode(replace(CENSUS, classes=many))
    assert len(data) > REVIEW_THREAD_BYTES
    write(path, data)

    async def on_loop() -> Census | None:
        with pytest.raises(TooBigForLoopError):
            feed.current()
        read = await asyncio.to_thread(feed.current)
        assert feed.current() is read
        return read

    assert asyncio.run(on_loop()) == replace(CENSUS, classes=many)
