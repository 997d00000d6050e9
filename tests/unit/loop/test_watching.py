"""The watch over the guard itself: each way to know how it stands, stored, told once, and never ended by a bad look."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import reconciler.loop.watching as module
from reconciler.cluster.audit_log import AuditLog
from reconciler.errors import ApiError, StoreError, UnreachableError
from reconciler.loop.watching import Watching
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.blind import StoredBlindLog, keep_slipped, read_blind, read_slipped, read_watch, read_watches
from reconciler.store.state import State, open_state, sqlite_url
from tests.support.fake_api import Call, FakeApi
from tests.support.small_snapshot import snapshot_of
from tests.support.waiting import eventually
from tests.unit.report.test_audit_event import event

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
CORE = "core-v1.guard.setscrew.dev"
REGISTRATION: dict[str, Any] = {
    "metadata": {"resourceVersion": "1"},
    "webhooks": [
        {
            "name": CORE,
            "rules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["configmaps"]}
            ],
        }
    ],
}
STARTED = "process_start_time_seconds 1.7e+09\n"


@dataclass
class World:
    """An API server that a test changes, and the watch over it."""

    directory: Path
    state: State
    registration: Any = field(default_factory=lambda: json.loads(json.dumps(REGISTRATION)))
    metrics: Any = STARTED
    admits: bool = False
    gone: bool = False
    snapshot: MemorySnapshot | None = field(default_factory=lambda: snapshot_of("ConfigMap"))
    said: list[str] = field(default_factory=list)

    def watching(self, *, canary: bool = True, audit: Path | None = None) -> Watching:
        return Watching(
            reader=self,  # type: ignore[arg-type]
            canary_client=FakeApi(self.answer) if canary else None,  # type: ignore[arg-type]
            audit=AuditLog(audit) if audit else None,
            snapshot=lambda: self.snapshot,
            state=self.state,
            log=StoredBlindLog(self.state, self.said.append, lambda: NOON),
            say=self.said.append,
            now=lambda: NOON,
            canary_seconds=0.05,
        )

    def request(self, *_: Any) -> Any:
        if isinstance(self.registration, Exception):
            raise self.registration
        return self.registration

    def lines(self, _: str) -> Iterator[bytes]:
        if isinstance(self.metrics, Exception):
            raise self.metrics
        yield from self.metrics.encode().splitlines(keepends=True)

    def answer(self, call: Call) -> Any:
        if self.admits:
            return call.body
        if self.gone:
            raise ApiError("not found", status=404)
        said = f'admission webhook "{CORE}" denied the request: no'
        raise ApiError(said, status=403, causes=(("metadata.annotations[setscrew.dev/canary]", "metadata", ""),))

    def stand(self, name: str) -> dict[str, Any]:
        return read_watches(self.state).get(name, {})

    def becomes(self, name: str, state: str) -> None:
        eventually(lambda: self.stand(name).get("state") == state, f"{name} {state}: {self.stand(name)} {self.said}")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(module, "CANARY_SETTLE_SECONDS", 0)
    opened = open_state(sqlite_url(tmp_path / "state.db"))
    yield World(tmp_path, opened)
    opened.close()


@pytest.fixture
def run() -> Iterator[Any]:
    ends, threads = threading.Event(), []

    def start(watching: Watching) -> Watching:
        threads.append(threading.Thread(target=watching.run, args=(ends,), daemon=True))
        threads[-1].start()
        return watching

    yield start
    ends.set()
    for thread in threads:
        thread.join(20)


def test_the_canary_goes_from_waiting_to_seeing_to_blind_and_back(world: World, run: Any) -> None:
    world.snapshot = None
    run(world.watching())
    world.becomes("canary", "waiting")
    world.snapshot = snapshot_of("ConfigMap")
    world.becomes("canary", "sees")
    world.admits = True
    world.becomes("canary", "blind")
    assert read_blind(world.state, 9)[0][0]["entries"] == [CORE]
    world.admits = False
    world.becomes("canary", "sees")
    eventually(lambda: read_blind(world.state, 9)[0][0]["until"], "the span ends")


def test_while_nothing_that_git_declares_is_in_the_cluster_the_canary_waits(world: World, run: Any) -> None:
    world.gone = True
    run(world.watching())
    world.becomes("canary", "waiting")
    assert "in the cluster" in world.stand("canary")["detail"]
    world.gone = False
    world.becomes("canary", "sees")


def test_blindness_does_not_turn_into_waiting_when_the_object_goes(world: World, run: Any) -> None:
    world.admits = True
    run(world.watching())
    world.becomes("canary", "blind")
    world.admits, world.gone = False, True
    world.becomes("canary", "unsure")
    assert not read_blind(world.state, 9)[0][0]["until"], "the span stays open"


def test_without_an_identity_it_says_what_to_give(world: World, run: Any) -> None:
    run(world.watching(canary=False))
    world.becomes("canary", "not-configured")
    eventually(lambda: any("--canary-kubeconfig" in line for line in world.said), "the fix is told")
    assert sum("--canary-kubeconfig" in line for line in world.said) == 1


def test_under_the_off_switch_nothing_is_tried(world: World, run: Any) -> None:
    world.registration["metadata"]["annotations"] = {"setscrew.dev/off": "2030-01-02T11:00:00Z dana"}
    world.admits = True
    run(world.watching())
    world.becomes("canary", "off")
    assert "dana" in world.stand("canary")["detail"]
    assert read_blind(world.state, 9) == ([], 0)


def test_a_change_that_is_admitted_because_the_guard_is_just_switched_off_is_no_alarm(world: World) -> None:
    def switch_off(call: Call) -> Any:
        world.registration["metadata"]["annotations"] = {"setscrew.dev/off": "now dana"}
        return call.body

    watching = world.watching()
    watching.canary_client = FakeApi(switch_off)  # type: ignore[assignment]
    watching._prove(0)
    assert world.stand("canary")["state"] == "unsure"
    watching._prove(0)
    assert world.stand("canary")["state"] == "off"
    assert read_blind(world.state, 9) == ([], 0)


def test_without_a_registration_an_admitted_change_is_blindness_all_the_same(world: World, run: Any) -> None:
    world.registration, world.admits = ApiError("not found", status=404), True
    run(world.watching())
    world.becomes("canary", "blind")
    assert read_blind(world.state, 9)[0][0]["entries"] == [f"{CORE} (not registered)"]


def test_what_cannot_be_read_is_said_with_its_fix_and_ends_nothing(world: World, run: Any) -> None:
    world.metrics = ApiError("forbidden: cannot get path /metrics", status=403)
    world.registration = UnreachableError("nobody answers")
    run(world.watching())
    world.becomes("failOpen", "unknown")
    assert "nonResourceURL" in world.stand("failOpen")["fix"]
    world.becomes("canary", "unsure")
    world.metrics, world.registration = STARTED, REGISTRATION
    world.becomes("failOpen", "counted")
    world.becomes("canary", "sees")


def test_an_unforeseen_answer_does_not_end_the_watch(world: World, run: Any) -> None:
    world.registration = {"metadata": {}, "webhooks": [{"name": CORE, "rules": 5}]}
    run(world.watching())
    eventually(lambda: any("a look at the guard itself failed" in line for line in world.said), "it is told")
    world.registration = REGISTRATION
    world.becomes("canary", "sees")


def test_counters_become_spans(world: World, run: Any) -> None:
    run(world.watching())
    world.becomes("failOpen", "counted")
    world.metrics = f'{STARTED}apiserver_admission_webhook_fail_open_count{{name="{CORE}",type="validating"}} 4\n'
    eventually(lambda: read_blind(world.state, 9)[1], "a span")
    assert read_blind(world.state, 9)[0][0]["writes"] == 4
    eventually(lambda: world.stand("failOpen").get("calls") == {CORE: 4}, "the total")


def test_the_audit_log_names_writes_of_guarded_objects_and_who_changed_the_registration(world: World, run: Any) -> None:
    path = world.directory / "audit.log"
    path.write_text("")
    watching = run(world.watching(audit=path))
    world.becomes("auditLog", "followed")
    place = {"resource": "configmaps", "namespace": "shop", "name": "one"}
    gone = {"resource": "validatingwebhookconfigurations", "name": "setscrew"}
    lines = [
        event(auditID="a", objectRef=place),
        event(auditID="b", objectRef=place | {"name": "unguarded"}),
        event(auditID="c", objectRef=place, requestURI="/?dryRun=All"),
        event(auditID="d", objectRef=gone, verb="delete", user={"username": "eve"}, annotations={}),
    ]
    with path.open("a") as file:
        file.write("nonsense\n" + "".join(json.dumps(one) + "\n" for one in lines) + json.dumps(lines[0])[:30])
    assert watching.who(NOON) == "eve"
    assert watching.who(datetime(2031, 1, 1, tzinfo=UTC)) == ""
    eventually(lambda: read_slipped(world.state, 9)[1], "the write is known")
    assert [one["id"] for one in read_slipped(world.state, 9)[0]] == ["a"]
    assert read_blind(world.state, 9)[0][0]["writes"] == 2


def test_a_restart_reads_the_audit_log_from_where_it_ended(world: World, run: Any) -> None:
    path = world.directory / "audit.log"
    path.write_text("")
    first = world.watching(audit=path)
    first._follow()
    first._count()
    place = {"resource": "configmaps", "namespace": "shop", "name": "one"}
    path.write_text(json.dumps(event(auditID="meanwhile", objectRef=place)) + "\n")
    run(world.watching(audit=path))
    eventually(lambda: read_slipped(world.state, 9)[1], "what was written meanwhile")


def test_an_audit_log_that_is_not_there_is_told_with_its_fix(world: World, run: Any) -> None:
    run(world.watching(audit=world.directory / "none.log"))
    world.becomes("auditLog", "unknown")
    assert "--api-audit-log" in world.stand("auditLog")["fix"]


def test_a_full_disk_loses_no_write_that_slipped_through(
    world: World, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.directory / "audit.log"
    path.write_text("")
    full = threading.Event()
    full.set()

    def keep(state: State, found: Any) -> None:
        if full.is_set():
            raise StoreError("the state store failed: database or disk is full")
        keep_slipped(state, found)

    monkeypatch.setattr(module, "keep_slipped", keep)
    watching = run(world.watching(audit=path))
    world.becomes("auditLog", "followed")
    before = eventually(lambda: read_watch(world.state, "inner").get("auditLog"), "a place")
    place = {"resource": "configmaps", "namespace": "shop", "name": "one"}
    with path.open("a") as file:
        file.write(json.dumps(event(auditID="a", objectRef=place)) + "\n")
    eventually(lambda: any("disk is full" in line for line in world.said), "it is told")
    watching.who(NOON)
    assert read_slipped(world.state, 9)[1] == 0
    assert read_watch(world.state, "inner").get("auditLog") == before, "a restart reads it again"
    full.clear()
    eventually(lambda: read_slipped(world.state, 9)[1], "the write is known")
    eventually(lambda: read_watch(world.state, "inner").get("auditLog") != before, "and the place too")
