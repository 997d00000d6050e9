"""Lines 26 and 41 of docs/reference/reliability.md: one decision sees one snapshot, and none of another format."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import StoreError
from reconciler.snapshot import rows
from reconciler.snapshot.model import MemorySnapshot, SnapshotView
from reconciler.store.snapshot_file import POINTER, publish
from tests.support import decisions
from webhook.decision.look import CURRENT
from webhook.decision.review import decode, encode
from webhook.decision.types import Decision, Request
from webhook.server.feed import KEY_FILE, Feed, SnapshotFile
from webhook.server.judge import Judge

FLIPS = 1_000
PAIR = (("apps", "deployments", "shop", "web"), ("", "secrets", "shop", "db"))
UPDATE = decisions.review({"object": "web", "patch": {"spec": {"replicas": 5}}})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / KEY_FILE).write_bytes(decisions.KEY)
    return tmp_path


def at_commit(commit: str) -> MemorySnapshot:
    """Two related objects, both from a file that bears the commit in its name."""
    held = decisions.snapshot(["web", "secret"])
    entries = tuple(
        replace(one, object=replace(one.object, provenance=replace(one.object.provenance, file=f"{commit}.yaml")))
        for one in held.entries
    )
    sources = {name: replace(source, commit=commit) for name, source in held.sources.items()}
    return MemorySnapshot(entries, held.rules, sources, held.secret_key)


class Recorder:
    """Keeps nothing."""

    def put(self, _: dict[str, object]) -> None:
        return None


class Torn:
    """Stands in for the decision: reads both objects and the source, and tells apart what is of one commit."""

    def __init__(self) -> None:
        self.seen: list[frozenset[str]] = []

    def __call__(self, _request: Request, snapshot: SnapshotView | None, _now: float, **_: Any) -> Decision:
        assert snapshot is not None
        files = [found.object.provenance.file for key in PAIR if (found := snapshot.find(*key))]
        self.seen.append(frozenset({*files, f"{snapshot.sources['shop'].commit}.yaml"}))
        return Decision(True, "conforms")


async def judged(judge: Judge, done: Callable[[], bool]) -> None:
    """Judge one review after the other; every second one in a thread, as big ones are."""
    loop = asyncio.get_running_loop()
    big = json.loads(UPDATE)
    big["request"]["object"]["metadata"]["annotations"] = {"note": "x" * 300_000}
    while not done():
        for body in (UPDATE, json.dumps(big).encode()):
            assert json.loads(await judge.review(body, None, loop.time() + 60))["response"]["allowed"]


def test_line_26_no_decision_sees_half_of_a_snapshot_while_it_flips_a_thousand_times(state: Path) -> None:
    pointers = []
    for name in ("old", "new"):
        publish(at_commit(name), state / "snapshots")
        pointers.append((state / "snapshots" / POINTER).read_text())
    feed, torn, over = Feed.of(state), Torn(), threading.Event()

    async def refresh(*_: object) -> Any:
        return CURRENT

    def flip() -> None:
        try:
            for number in range(FLIPS):
                fresh = state / "snapshots" / f"{POINTER}.new"
                fresh.write_text(pointers[number % 2])
                fresh.replace(state / "snapshots" / POINTER)
                assert feed.poll()
        finally:
            over.set()

    flipping = threading.Thread(target=flip)
    judge = Judge(feed, torn, decode, encode, refresh, Recorder(), lambda: 0.0)
    flipping.start()
    asyncio.run(judged(judge, over.is_set))
    flipping.join()
    assert feed.problem == ""
    assert set(torn.seen) == {frozenset({"old.yaml"}), frozenset({"new.yaml"})}


@pytest.mark.parametrize("number", [-1, 1], ids=["older", "newer"])
def test_line_41_a_snapshot_of_another_format_is_not_taken_and_the_last_good_one_stays(
    state: Path, number: int
) -> None:
    kept = publish(at_commit("old"), state / "snapshots")
    feed = Feed.of(state)
    other = of_format(state, publish(at_commit("new"), state / "snapshots"), str(int(rows.FORMAT) + number))
    assert not feed.poll()
    assert "of another format" in feed.problem
    current = feed.current()
    assert current is not None
    assert current.digest == kept
    assert current.find(*PAIR[0]) is not None
    with pytest.raises(StoreError, match="of another format"):
        SnapshotFile(other, decisions.KEY)
    # With the upgrade done, what the new reconciler publishes next is taken.
    newest = publish(at_commit("newest"), state / "snapshots")
    assert feed.poll()
    assert (feed.problem, feed.current().digest) == ("", newest)


def test_line_41_a_replica_that_starts_beside_a_newer_reconciler_is_not_ready(state: Path) -> None:
    of_format(state, publish(at_commit("new"), state / "snapshots"), str(int(rows.FORMAT) + 1))
    feed = Feed.of(state)
    assert feed.current() is None
    assert "of another format" in feed.problem


def test_line_41_what_a_newer_reconciler_adds_to_the_pointer_is_passed_over(state: Path) -> None:
    digest = publish(at_commit("new"), state / "snapshots")
    pointer = state / "snapshots" / POINTER
    pointer.write_text(json.dumps({**json.loads(pointer.read_text()), "later": {"more": 1}}))
    current = Feed.of(state).current()
    assert current is not None
    assert current.digest == digest


def of_format(state: Path, digest: str, number: str) -> Path:
    """Make the published snapshot one of another format, as another version of the reconciler would have written it."""
    file = state / "snapshots" / f"{digest}.sqlite"
    file.chmod(0o644)
    with sqlite3.connect(file) as database:
        database.execute("UPDATE meta SET value = ? WHERE key = 'format'", (number.encode(),))
    database.close()
    changed = hashlib.sha256(file.read_bytes()).hexdigest()
    target = file.with_name(f"{changed}.sqlite")
    file.rename(target)
    (state / "snapshots" / POINTER).write_text(json.dumps({"digest": changed, "file": target.name}))
    return target
