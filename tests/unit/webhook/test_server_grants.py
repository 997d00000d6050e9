"""The feed of grants: a new file holds from the next look on, a bad one replaces nothing; no file, no grants."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reconciler.policy.grant import Grant, Scope
from reconciler.policy.grant_file import dump
from reconciler.policy.model import Subject
from webhook.server.grants import GrantFeed


def grant(identity: str) -> Grant:
    return Grant(identity, (Subject(user="dana"),), Scope(kinds=("*",)), "r", 100.0)


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(mode)
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "grants.json"


@pytest.fixture
def feed(path: Path) -> GrantFeed:
    return GrantFeed(path)


def seen(feed: GrantFeed) -> list[str]:
    feed.poll()
    return [one.id for one in feed.current()]


def test_without_a_file_there_are_no_grants(feed: GrantFeed) -> None:
    assert seen(feed) == []
    assert feed.problem == ""


def test_a_new_file_is_in_force_at_the_next_look(feed: GrantFeed, path: Path) -> None:
    write(path, dump([grant("a")]))
    assert seen(feed) == ["a"]
    write(path, dump([grant("b")]))
    assert seen(feed) == ["b"]


def test_no_grant_stays_when_its_file_is_taken_away(feed: GrantFeed, path: Path) -> None:
    write(path, dump([grant("a")]))
    assert seen(feed) == ["a"]
    path.unlink()
    assert seen(feed) == []


@pytest.mark.parametrize("data", [b"", b"{", b'{"format":"1","grants":[{"id":"x"}]}', dump([grant("a")] * 201)])
def test_a_bad_file_replaces_nothing_and_is_told_once(
    feed: GrantFeed, path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write(path, dump([grant("good")]))
    feed.poll()
    write(path, data)
    with caplog.at_level(logging.ERROR, "setscrew.admission"):
        assert [seen(feed), seen(feed)] == [["good"], ["good"]]
    assert feed.problem
    assert len(caplog.records) == 1
    write(path, dump([grant("new")]))
    assert seen(feed) == ["new"]
    assert feed.problem == ""


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_grants_nothing(feed: GrantFeed, path: Path, mode: int) -> None:
    write(path, dump([grant("a")]), mode)
    assert seen(feed) == []
    path.chmod(0o600)
    assert seen(feed) == ["a"]
