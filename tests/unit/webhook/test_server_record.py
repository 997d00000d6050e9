"""Holds what a decision record says, that it is bounded, and that sending it never waits or fails."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path

from reconciler.limits import DECISION_LINE_BYTES, DECISION_QUEUE, DENIAL_PATHS
from tests.support.stub_admission import CAUSE
from webhook.decision.types import Decision, Identity, Request
from webhook.server.record import decision_record, worth_recording
from webhook.server.recorder import DatagramRecorder

REQUEST = Request(
    uid="u1",
    group="apps",
    version="v1",
    resource="deployments",
    kind="Deployment",
    operation="UPDATE",
    identity=Identity("alice", ("developers",)),
    namespace="shop",
    name="web",
    object={"metadata": {"name": "web", "resourceVersion": "7"}, "spec": {"replicas": 3}},
)
DENIED = Decision(False, "drift", "no", (CAUSE,), guarded=True)


def test_a_record_names_who_what_which_and_why() -> None:
    assert decision_record(REQUEST, DENIED, "abc", 1_700_000_000.25, 0.0012345678) == {
        "time": "2023-11-14T22:13:20.250Z",
        "uid": "u1",
        "user": "alice",
        "groups": ["developers"],
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
        "snapshot": "abc",
        "paths": [{"path": "/spec/replicas", "verdict": "held", "want": "2", "now": "3"}],
        "resourceVersion": "7",
        "latency": 0.001235,
    }


def test_a_collection_delete_takes_its_name_from_the_old_object() -> None:
    request = replace(REQUEST, name="", object=None, old={"metadata": {"name": "api", "resourceVersion": "9"}})
    record = decision_record(request, DENIED, "", 0.0, 0.0)
    assert (record["name"], record["resourceVersion"]) == ("api", "9")


def test_hostile_sizes_stay_within_one_datagram() -> None:
    identity = Identity("a" * 100_000, tuple("g" * 100_000 for _ in range(1_000)))
    request = replace(REQUEST, identity=identity, uid="u" * 100_000, object="no mapping")
    decision = replace(DENIED, causes=(replace(CAUSE, now="\\" * 100_000, pointer="/" * 100_000),) * 1_000)
    record = decision_record(request, decision, "", 0.0, 0.0)
    paths = record["paths"]
    assert isinstance(paths, list)
    assert len(paths) == DENIAL_PATHS
    assert len(json.dumps(record)) < DECISION_LINE_BYTES


def test_only_guarded_objects_and_no_dry_runs_are_recorded() -> None:
    assert worth_recording(REQUEST, DENIED)
    assert not worth_recording(REQUEST, replace(DENIED, guarded=False))
    assert not worth_recording(replace(REQUEST, dry_run=True), DENIED)


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
            assert lines == [b'{"n":%d}\n' % number for number in range(50)]
            assert recorder.lost == 0

    asyncio.run(run())


def test_records_wait_for_a_receiver_that_comes_late(tmp_path: Path) -> None:
    async def run() -> bytes:
        recorder = DatagramRecorder(tmp_path / "d")
        sender = asyncio.ensure_future(recorder.run())
        recorder.put({"n": 1})
        await asyncio.sleep(0.05)
        with receiver(tmp_path / "d") as channel:
            line = await asyncio.to_thread(channel.recv, 100)
        sender.cancel()
        return line

    assert asyncio.run(run()) == b'{"n":1}\n'


def test_what_finds_no_room_is_counted_and_nothing_raises(tmp_path: Path) -> None:
    recorder = DatagramRecorder(tmp_path / "nobody")
    for number in range(DECISION_QUEUE + 3):
        recorder.put({"n": number})
    recorder.put({"big": "x" * DECISION_LINE_BYTES})
    recorder.put({"odd": "\ud800"})
    recorder.put({"odd": object()})
    assert recorder.lost == 6
    recorder.flush()
    assert recorder.lost == DECISION_QUEUE + 6
