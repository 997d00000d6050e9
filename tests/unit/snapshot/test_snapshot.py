"""Owns the snapshot in memory, in its file and behind the feed: what a damaged file does, who is taken along."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import StoreError
from reconciler.policy.model import Policy
from reconciler.snapshot.model import Earlier, MemorySnapshot
from reconciler.store.snapshot_file import KEPT, publish
from tests.support.decisions import KEY, earlier, snapshot
from webhook.server.feed import KEY_FILE, Feed, SnapshotFile, open_snapshot


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / KEY_FILE).write_bytes(KEY)
    return tmp_path


def published(state: Path, held: MemorySnapshot | None = None) -> str:
    return publish(held or snapshot(["web", "secret"]), state / "snapshots")


def feed(state: Path) -> Feed:
    return Feed(state / "snapshots" / "current.json")


def test_a_snapshot_file_cannot_be_written_and_holds_no_secret(state: Path) -> None:
    file = state / "snapshots" / f"{published(state)}.sqlite"
    assert file.stat().st_mode & 0o777 == 0o444
    content = file.read_bytes()
    assert b"example-from-git" not in content
    assert b"ZXhhbXBsZS1mcm9tLWdpdA" not in content
    assert KEY not in content


def test_the_feed_follows_the_pointer_and_keeps_what_it_has(state: Path) -> None:
    follower = feed(state)
    assert not follower.poll()
    assert follower.current() is None
    first = published(state)
    assert follower.poll()
    second = published(state, snapshot(["web"]))
    assert second != first
    assert follower.poll()
    assert not follower.poll()
    current = follower.current()
    assert current is not None
    assert current.digest == second


@pytest.mark.parametrize(
    "pointer",
    ["", "{", "[]", "{}", '"x"', "null", '{"digest": "x"}', '{"digest": "x", "file": "../../etc/passwd"}', "\x00"],
)
def test_a_bad_pointer_replaces_nothing_and_is_told(state: Path, pointer: str) -> None:
    good = published(state)
    follower = feed(state)
    assert follower.poll()
    (state / "snapshots" / "current.json").write_text(pointer)
    assert not follower.poll()
    assert follower.problem
    current = follower.current()
    assert current is not None
    assert current.digest == good
    published(state, snapshot(["web"]))
    assert follower.poll()
    assert follower.problem == ""


def test_a_changed_file_does_not_have_its_digest(state: Path) -> None:
    digest = published(state)
    file = state / "snapshots" / f"{digest}.sqlite"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"registry.example", b"registry.evil..."))
    follower = feed(state)
    assert not follower.poll()
    assert "digest" in follower.problem


def test_a_bad_file_is_not_read_again_until_the_pointer_changes(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = published(state)
    (state / "snapshots" / f"{digest}.sqlite").chmod(0o644)
    (state / "snapshots" / f"{digest}.sqlite").write_bytes(b"not a database")
    follower = feed(state)
    assert not follower.poll()
    monkeypatch.setattr(follower, "_load", lambda: pytest.fail("read again"))
    assert not follower.poll()


def test_a_snapshot_of_another_key_is_not_used(state: Path) -> None:
    digest = published(state)
    file = state / "snapshots" / f"{digest}.sqlite"
    with pytest.raises(StoreError, match="another key"):
        SnapshotFile(file, b"some other key")
    with pytest.raises(StoreError, match="another key"):
        SnapshotFile(file)
    assert open_snapshot(file).digest == digest


def test_a_snapshot_of_another_format_is_not_used(state: Path) -> None:
    file = state / "snapshots" / f"{published(state)}.sqlite"
    file.chmod(0o644)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE meta SET value = ? WHERE key = 'format'", (b"0",))
    database.close()
    with pytest.raises(StoreError, match="another format"):
        SnapshotFile(file, KEY)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"x" * 5_000])
def test_what_is_no_snapshot_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.sqlite"
    file.write_bytes(content)
    with pytest.raises(StoreError, match=r"a\.sqlite"):
        SnapshotFile(file)


def test_old_files_go_and_the_current_one_stays(state: Path) -> None:
    for number in range(KEPT + 3):
        held = replace(snapshot(["config"]), sources={}, secret_key=KEY + bytes([number]))
        digest = publish(held, state / "snapshots")
    files = {file.stem for file in (state / "snapshots").glob("*.sqlite")}
    assert digest in files
    assert len(files) <= KEPT
    assert json.loads((state / "snapshots" / "current.json").read_text())["digest"] == digest


def test_more_than_ten_objects_are_taken_along_with_all_their_policies(state: Path) -> None:
    one = snapshot(["config"]).entries[0]
    many = [
        replace(one, object=replace(one.object, ref=one.object.ref._replace(name=f"c{number:02}")))
        for number in range(12)
    ]
    last = replace(many[-1], policy=Policy("zz-own"))
    held = MemorySnapshot((*many[:-1], last), snapshot(["config"]).rules, secret_key=KEY)
    publish(held, state / "snapshots")
    follower = feed(state)
    assert follower.poll(), follower.problem
    read = follower.current()
    assert read is not None
    for view in (held, read):
        inside = view.inside_namespace("shop")
        assert len(inside.shown) == 10
        assert [policy.name for policy in inside.enforced] == ["default", "zz-own"]
        assert inside.reported == ()
        assert not view.inside_namespace("")


def test_no_namespace_is_not_that_of_cluster_scoped_objects(state: Path) -> None:
    held = snapshot(["deviceclass"])
    published(state, held)
    follower = feed(state)
    assert follower.poll()
    read = follower.current()
    assert read is not None
    assert not held.inside_namespace("")
    assert not read.inside_namespace("")


def test_objects_that_are_not_adopted_are_told_apart(state: Path) -> None:
    held = snapshot(["config"], adopted=False)
    published(state, held)
    follower = feed(state)
    assert follower.poll()
    read = follower.current()
    assert read is not None
    for view in (held, read):
        inside = view.inside_namespace("shop")
        assert inside.enforced == ()
        assert [policy.name for policy in inside.reported] == ["default"]


def test_what_earlier_revisions_wanted_is_found_by_object_newest_first(state: Path) -> None:
    before = tuple(
        earlier(name, {"commit": commit, "patch": {"metadata": {"labels": {"at": commit}}}})
        for commit, name in (("between", "web"), ("oldest", "web"), ("oldest", "config"))
    )
    held = replace(snapshot(["web", "config"]), before=before)
    published(state, held)
    follower = feed(state)
    assert follower.poll(), follower.problem
    read = follower.current()
    assert read is not None
    assert told(read.before()) == told(before)
    config = before[2].entry.object.ref.name
    for view in (held, read):
        assert told(view.earlier("apps", "deployments", "shop", "web")) == told(before[:2])
        assert told(view.earlier("", "configmaps", "shop", config)) == told(before[2:])
        assert view.earlier("", "configmaps", "shop", "web") == ()


def told(found: tuple[Earlier, ...]) -> list[tuple[Any, ...]]:
    return [(one.last, one.entry.object.ref, one.entry.object.want, one.entry.policy) for one in found]
