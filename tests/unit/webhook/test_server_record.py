"""Holds what a decision record says, that it is bounded, and that sending it never waits or fails."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.limits import DECISION_GROUPS, DECISION_LINE_BYTES, DECISION_QUEUE, DENIAL_PATHS
from reconciler.policy.model import Rules
from reconciler.report.rehearsal import turns
from reconciler.snapshot.model import MemorySnapshot
from tests.support.decisions import judged, snapshot
from tests.support.stub_admission import CAUSE
from webhook.decision.types import Decision, Identity, Request, Trees
from webhook.server.judge import INTERNAL_ERROR
from webhook.server.record import decision_record, worth_recording
from webhook.server.recorder import DatagramRecorder

REQUEST = Request(
    uid="u1",
    group="apps",
    version="v1",
    resource="deployments",
    kind="Deployment",
    operation="UPDATE",
    identity=Identity("alice", ("developers",), "id-7", {"authentication.kubernetes.io/credential-id": ("JTI=4f",)}),
    namespace="shop",
    name="web",
    objects=Trees({"metadata": {"name": "web", "resourceVersion": "7"}, "spec": {"replicas": 3}}),
)
AUDIT = {"code": "drift", "policy": "default", "source": "shop", "revision": "main@sha1:ab", "paths": "/spec/replicas"}
SNAPSHOT = MemorySnapshot((), Rules(()), digest="d" * 64)
DENIED = Decision(False, "drift", "no", (replace(CAUSE, was="1"),), audit=AUDIT, guarded=True)


def test_a_record_names_who_what_which_and_why() -> None:
    assert decision_record(REQUEST, DENIED, SNAPSHOT, 1_700_000_000.25, 0.0012345678) == {
        "time": "2023-11-14T22:13:20.250Z",
        "uid": "u1",
        "user": "alice",
        "userUid": "id-7",
        "groups": ["developers"],
        "extra": {"authentication.kubernetes.io/credential-id": ["JTI=4f"]},
        "operation": "UPDATE",
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "web",
        "resource": "deployments",
        "subresource": "",
        "code": "drift",
        "allowed": False,
        "would": "",
        "grant": "",
        "policy": "default",
        "source": "shop",
        "revision": "main@sha1:ab",
        "snapshot": "d" * 64,
        "paths": [{"path": "/spec/replicas", "verdict": "held", "want": "2", "was": "1", "now": "3"}],
        "morePaths": 0,
        "resourceVersion": "7",
        "latency": 0.001235,
    }


def test_a_record_about_a_gpu_class_says_who_used_it() -> None:
    users = "DeviceClass a100 running=7 pending=0 templates=0 claims=0 nodes=0 namespaces=1"
    record = decision_record(REQUEST, replace(DENIED, audit={**AUDIT, "gpu-users": users}), SNAPSHOT, 0.0, 0.0)
    assert record["gpuUsers"] == users
    assert "gpuUsers" not in decision_record(REQUEST, DENIED, SNAPSHOT, 0.0, 0.0)


def test_what_was_admitted_says_what_it_would_have_been_and_by_whose_leave() -> None:
    granted = replace(DENIED, allowed=True, code="granted", would="drift", grant="g-1")
    record = decision_record(REQUEST, granted, None, 0.0, 0.0)
    assert (record["code"], record["would"], record["grant"]) == ("granted", "drift", "g-1")


REPLICAS = {"object": "web", "patch": {"spec": {"replicas": 5}}}


@pytest.mark.parametrize(
    ("case", "code", "turns_under"),
    [
        (REPLICAS, "drift", ("Warn", "Audit")),
        (REPLICAS | {"policy": {"action": "Audit"}}, "audited", ("Deny",)),
        (REPLICAS | {"policy": {"action": "Warn"}}, "warned", ("Deny",)),
        (REPLICAS | {"adopted": False}, "not-adopted", ("Deny",)),
        (REPLICAS | {"grants": [{"to": [{"user": "alice"}]}]}, "granted", ()),
        ({"object": "web", "patch": {"spec": {"replicas": 3}}}, "unchanged", ()),
    ],
    ids=["refused", "audited", "warned", "not adopted", "granted", "unchanged"],
)
def test_a_rehearsal_can_tell_from_the_record_what_another_action_would_do(
    case: Any, code: str, turns_under: tuple[str, ...]
) -> None:
    request, decision = judged(case)
    policy = decision.audit["policy"]
    record = decision_record(request, decision, None, 0.0, 0.0)
    assert worth_recording(request, decision)
    assert (record["code"], record["source"], record["policy"]) == (code, "shop", policy)
    assert tuple(action for action in ("Deny", "Warn", "Audit") if turns(record, action)) == turns_under
    assert bool(record["paths"]) is (code != "unchanged")


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("iam.gke.io/user-assertion", "***"),
        ("example.com/access-token", "***"),
        ("authentication.kubernetes.io/pod-name", "value"),
        ("accessKeyId", "value"),
    ],
)
def test_what_proves_an_identity_is_not_recorded(key: str, shown: str) -> None:
    request = replace(REQUEST, identity=Identity("alice", extra={key: ("value",)}))
    assert decision_record(request, DENIED, None, 0.0, 0.0)["extra"] == {key: [shown]}


@pytest.mark.parametrize(("name", "kind"), [("web", "Deployment"), ("unknown", "Scale")])
def test_scaling_a_deployment_is_recorded_as_the_deployments(name: str, kind: str) -> None:
    request = replace(REQUEST, kind="Scale", subresource="scale", name=name)
    record = decision_record(request, DENIED, snapshot(["web"]), 0.0, 0.0)
    assert (record["kind"], record["subresource"]) == (kind, "scale")


def test_a_collection_delete_takes_its_name_from_the_old_object() -> None:
    request = replace(REQUEST, name="", objects=Trees(old={"metadata": {"name": "api", "resourceVersion": "9"}}))
    record = decision_record(request, DENIED, None, 0.0, 0.0)
    assert (record["name"], record["resourceVersion"]) == ("api", "9")


HUGE = Identity("a" * 100_000, tuple("g" * 100_000 for _ in range(1_000)), "u" * 100_000, {"e" * 999: ("x",) * 99})


def test_hostile_sizes_stay_within_one_datagram() -> None:
    request = replace(REQUEST, identity=HUGE, uid="u" * 100_000, objects=Trees("no mapping"))
    decision = replace(DENIED, causes=(replace(CAUSE, now="\\" * 100_000, pointer="/" * 100_000),) * 1_000)
    record = decision_record(request, decision, None, 0.0, 0.0)
    paths, groups = record["paths"], record["groups"]
    assert isinstance(paths, list)
    assert isinstance(groups, list)
    assert (len(paths), record["morePaths"]) == (DENIAL_PATHS, 1_000 - DENIAL_PATHS)
    assert (len(groups), groups[-1]) == (DECISION_GROUPS + 1, f"… {1_000 - DECISION_GROUPS} more")
    assert len(json.dumps(record)) < DECISION_LINE_BYTES


def test_only_guarded_objects_and_refusals_are_recorded_and_no_dry_runs() -> None:
    passed = replace(DENIED, allowed=True)
    assert worth_recording(REQUEST, passed)
    assert not worth_recording(REQUEST, replace(passed, guarded=False))
    assert worth_recording(REQUEST, INTERNAL_ERROR)
    assert not worth_recording(replace(REQUEST, dry_run=True), DENIED)
    assert not worth_recording(replace(REQUEST, dry_run=True), INTERNAL_ERROR)


@settings(deadline=None, max_examples=40)
@given(st.characters(codec="utf-8"), st.integers(0, 100))
def test_nobody_is_left_out_of_the_record_for_being_verbose(sign: str, extras: int) -> None:
    """Groups and extras of an impersonated user are whatever the impersonator likes."""
    long = sign * 1_000
    identity = Identity(long, (long,) * 100, long, {f"{number}{long}": (long,) * 99 for number in range(extras)})
    causes = (replace(CAUSE, now=long, was=long, want=long, pointer=long),) * 100
    request = replace(REQUEST, identity=identity, uid=long, name=long, namespace=long, kind=long, resource=long)
    recorder = DatagramRecorder(Path("nowhere"))
    recorder.put(decision_record(request, replace(DENIED, causes=causes), SNAPSHOT, 0.0, 0.0))
    assert recorder.lost == 0
    record = json.loads(recorder._queue[0])
    assert (record["code"], record["time"], record["snapshot"]) == ("drift", "1970-01-01T00:00:00.000Z", "d" * 64)
    assert record["user"].startswith(sign)


def receiver(path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(path))
    channel.settimeout(2)
    return channel


def test_each_record_is_one_line_in_one_datagram(tmp_path: Path) -> None:
    async def run() -> None:
        with receiver(tmp_path / "d") as channel:
            recorder = DatagramRecorder(tmp_path / "d")
            sender = asyncio.ensure_future(recorder.run())
            for number in range(50):
                recorder.put({"n": number})
            lines = [await asyncio.to_thread(channel.recv, DECISION_LINE_BYTES) for _ in range(50)]
            sender.cancel()
            records = [json.loads(line) for line in lines]
            assert all(line.endswith(b"}\n") for line in lines)
            assert [(one["n"], one["number"]) for one in records] == [(number, number + 1) for number in range(50)]
            assert ({one["worker"] for one in records}, recorder.lost) == ({recorder.worker}, 0)

    asyncio.run(run())


def test_records_wait_for_a_receiver_that_comes_late(tmp_path: Path) -> None:
    async def run() -> bytes:
        recorder = DatagramRecorder(tmp_path / "d")
        sender = asyncio.ensure_future(recorder.run())
        recorder.put({"n": 1})
        await asyncio.sleep(0.05)
        with receiver(tmp_path / "d") as channel:
            line = await asyncio.to_thread(channel.recv, 1_000)
        sender.cancel()
        return line

    assert json.loads(asyncio.run(run()))["n"] == 1


def test_what_finds_no_room_is_counted_and_nothing_raises(tmp_path: Path) -> None:
    recorder = DatagramRecorder(tmp_path / "nobody")
    for number in range(DECISION_QUEUE + 3):
        recorder.put({"n": number})
    assert recorder.lost == 3
    recorder.flush()
    assert recorder.lost == DECISION_QUEUE + 3


def test_a_record_that_is_lost_has_its_number_all_the_same(tmp_path: Path) -> None:
    recorder = DatagramRecorder(tmp_path / "nobody")
    for odd in ({"n": 1}, {"odd": "\ud800"}, {"odd": object()}, {f"{n}": "x" * 64 for n in range(2_000)}, {"n": 2}):
        recorder.put(odd)
    assert recorder.lost == 3
    assert [json.loads(line)["number"] for line in recorder._queue] == [1, 5]


def test_two_workers_do_not_share_a_name(tmp_path: Path) -> None:
    assert DatagramRecorder(tmp_path / "d").worker != DatagramRecorder(tmp_path / "d").worker
