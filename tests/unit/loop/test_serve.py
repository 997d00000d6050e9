"""The clockwork: its sockets, its pace, and that no failing pass ends it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import StoreError
from reconciler.loop.serve import Clockwork
from reconciler.model.sockets import RECONCILER_SOCKET
from tests.support.waiting import eventually
from tests.unit.loop.conftest import BROKEN, CONFIG, Site, names


@contextmanager
def running(clockwork: Clockwork) -> Iterator[Clockwork]:
    thread = threading.Thread(target=clockwork.run, daemon=True)
    thread.start()
    try:
        yield clockwork
    finally:
        clockwork.stop()
        thread.join(20)
        assert not thread.is_alive()


def ask(directory: Path, line: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(directory / RECONCILER_SOCKET))
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        try:
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionResetError:
            return b""  # closed with some of our bytes unread


def told(directory: Path, line: bytes) -> list[dict[str, Any]]:
    """The lines of an answer, each known as it came."""
    return [json.loads(row) for row in ask(directory, line).splitlines()]


def ready(site: Site) -> Clockwork:
    return Clockwork(site.reconciler(), site.directory, scan_seconds=60)


def test_a_refresh_answers_with_the_digest_of_what_is_enforced_then(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    with running(ready(site)) as clockwork:
        eventually(lambda: names(clockwork.reconciler), "the first snapshot")
        site.push("shop", CONFIG % ("two", "x"))
        answers = told(site.directory, b'{"source": "shop"}\n')
        assert names(clockwork.reconciler) == ["two"]
        assert answers[0] == {"ahead": ["shop"], "failed": {}}
        assert answers[-1] == {"ahead": [], "failed": {}, "digest": clockwork.reconciler.digest}


def test_a_refresh_of_a_source_that_is_gone_says_why(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    with running(ready(site)) as clockwork:
        eventually(lambda: names(clockwork.reconciler), "the first snapshot")
        site.hide("shop")
        (answer,) = told(site.directory, b'{"source": "shop"}\n')
        assert answer["digest"] == clockwork.reconciler.digest
        assert "git ls-remote failed" in answer["failed"]["shop"]


def test_a_commit_that_cannot_be_rendered_is_ahead_only_while_nobody_knows(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    with running(ready(site)) as clockwork:
        eventually(lambda: names(clockwork.reconciler), "the first snapshot")
        site.push("shop", BROKEN)
        looks = [told(site.directory, b'{"source": "shop"}\n') for _ in range(2)]
    # That it failed and that it has ended may be told in one answer or in two.
    aheads = [[ahead for ahead, _ in groupby(answer["ahead"] for answer in answers)] for answers in looks]
    assert aheads == [[["shop"], []], [[]]]
    assert all("YAML syntax error" in answers[-1]["failed"]["shop"] for answers in looks)


def test_nonsense_on_the_socket_is_answered_by_nothing_and_harms_nothing(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    with running(ready(site)) as clockwork:
        eventually(lambda: names(clockwork.reconciler), "the first snapshot")
        for line in (b"", b"\n", b"nonsense\n", b"[1]\n", b"\xff\xfe\n", b'{"source": ' + b"9" * 70_000 + b"}\n"):
            assert ask(site.directory, line) == b""
        assert told(site.directory, b"{}\n")[-1]["digest"] == clockwork.reconciler.digest
    assert "Traceback" not in capfd.readouterr().err


def test_the_sockets_are_for_this_user_alone_and_go_with_the_process(site: Site) -> None:
    clockwork = ready(site)
    with running(clockwork):
        eventually(lambda: names(clockwork.reconciler) == [] and clockwork.reconciler.digest, "the first snapshot")
        sockets = sorted(site.directory.glob("*.sock"))
        assert [path.stat().st_mode & 0o777 for path in sockets] == [0o600, 0o600]
    assert not any(path.exists() for path in sockets)


def test_a_source_that_cannot_be_read_is_not_asked_in_a_tight_loop(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    site.hide("shop")
    clockwork = ready(site)
    looks: list[int] = []
    sync = clockwork.reconciler.sync
    object.__setattr__(clockwork, "reconciler", _Counting(clockwork.reconciler, looks))
    with running(clockwork):
        eventually(lambda: looks, "a first look")
        for _ in range(30):
            clockwork._wake.set()
            threading.Event().wait(0.05)
        assert len(looks) <= 3
    assert sync() == ""


class _Counting:
    """A reconciler whose looks at Git are counted."""

    def __init__(self, wrapped: object, looks: list[int]) -> None:
        self._wrapped, self._looks = wrapped, looks

    def __getattr__(self, name: str) -> object:
        return getattr(self._wrapped, name)

    def sync(self, *_: object) -> str:
        self._looks.append(1)
        return ""


def test_what_could_not_be_read_for_a_moment_is_read_long_before_the_next_turn(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    with running(ready(site)) as clockwork:
        eventually(lambda: names(clockwork.reconciler), "the first snapshot")
        site.push("shop", CONFIG % ("two", "x"))
        back = site.hide("shop")
        # On a slow machine something is known before all is.
        *_, answer = told(site.directory, b'{"source": "shop"}\n')
        assert answer["failed"]
        back()
        eventually(lambda: names(clockwork.reconciler) == ["two"], "the push that nobody could read")


def test_a_pass_that_fails_is_said_and_the_next_one_is_made(site: Site) -> None:
    clockwork = ready(site)

    def store() -> None:
        raise StoreError("no space")

    def defect() -> None:
        raise ValueError("hidden-value")

    clockwork._step(store)
    clockwork._step(defect)
    assert site.said == [
        "no space [SS6000]",
        "a pass failed: ValueError in test_serve.py:" + site.said[1].rpartition(":")[2],
    ]


def test_what_ends_with_time_is_looked_at_when_the_process_begins(site: Site) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    before = site.reconciler()
    before.sync()
    site.published.clear()
    site.hide("shop")
    clockwork = Clockwork(site.reconciler(last=before.current), site.directory, scan_seconds=60)
    with running(clockwork):
        eventually(lambda: site.published, "the registration to be looked at")
    assert site.published[0].digest == before.digest
