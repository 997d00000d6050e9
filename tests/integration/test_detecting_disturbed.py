"""Detection on a real API server while etcd forgets, clocks are wrong and the reconciler is killed.

No finding is lost, none is made up, none is counted twice, and no time is absurd.
One cluster, one state directory, one story: the tests follow each other. ConfigMaps have no watch cache, so that what
etcd has forgotten is too old for a watch, as it is for every resource of a busy cluster sooner or later.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from reconciler.cluster import collection
from reconciler.errors import UnreachableError
from reconciler.model.instant import stamp
from reconciler.store.days import read_days
from reconciler.store.findings import last_pass, read_findings
from reconciler.store.history import read_history, read_resolved
from reconciler.store.state import State
from reconciler.store.totals import count_on, read_totals
from reconciler.store.watched import read_watch
from setscrew.controlplane import ControlPlane, Tools
from setscrew.serve_api import make_app
from setscrew.store import existing_store
from tests.support.detector import Detector
from tests.support.etcd import compact
from tests.support.waiting import eventually
from tests.support.watched import MAPS, NAMESPACE, ROLES, Story, config
from tests.support.wiring import wired
from tests.support.wrong_clock import wrong_clock

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DECLARED = [
    config(name) for name in ("one", "two", "steady", "flips", "comes-and-goes", *map("quiet-{}".format, range(40)))
]
KILLS = 15
TOKEN = b"0123456789abcdef0123456789abcdef"
HOURS = timedelta(hours=2)


@pytest.fixture(scope="module")
def story(alone: None, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    directory = tmp_path_factory.mktemp("disturbed")
    with (
        ControlPlane.start(tools, api_server_args=("--watch-cache-sizes=configmaps#0",)) as plane,
        wired(plane, plane.kubeconfig("detector"), directory) as (wire, kubeconfig),
    ):
        one = Story(plane, Detector(directory, kubeconfig, tools), wire, "detector")
        one.made(ROLES, one.may_read("configmaps"))
        plane.kubectl("create", "clusterrolebinding", "detector", "--clusterrole=detector", "--user=detector")
        one.made("/api/v1/namespaces", NAMESPACE)
        for body in DECLARED:
            one.made(MAPS, body)
        one.detector.declare(DECLARED)
        one.detector.start()
        try:
            yield one
        finally:
            one.detector.stop()


@pytest.fixture
def state(story: Story) -> Iterator[State]:
    """The state store as another process sees it."""
    with existing_store(story.detector.directory / "state") as found:
        yield found


def finding(state: State, name: str) -> dict[str, Any]:
    return next(one for one in read_findings(state, limit=10_000)[0] if one["name"] == name)


def pasts(state: State) -> dict[str, list[str]]:
    """What has happened to each object that anything ever happened to, by name."""
    bodies = [*read_findings(state, limit=10_000)[0], *read_resolved(state, "", 10_000)]
    names = {one["id"]: one["name"] for one in bodies}
    return {name: [event["event"] for event in read_history(state, one)] for one, name in names.items()}


def check(state: State) -> None:
    """Nothing ends before it began, no event is told twice, and the counts are those of what has happened."""
    bodies = [*read_findings(state, limit=10_000)[0], *read_resolved(state, "", 10_000)]
    for one in bodies:
        assert one["firstSeen"] <= one["lastSeen"], one
        assert not one["resolvedAt"] or one["lastSeen"] <= one["resolvedAt"], one
    there = defaultdict(list)
    for one in read_findings(state, limit=10_000)[0]:
        there[one["name"]].append(one)
    for name, events in pasts(state).items():
        text = "".join(f"{event} " for event in events)
        assert re.fullmatch(r"(detected (changed )*resolved )*(detected (changed )*)?", text), (name, text)
        assert len(there[name]) == int(events[-1] != "resolved"), (name, text)
        for one in there[name]:
            assert one["occurrences"] == len(events) - events.count("resolved"), (name, text)


def test_what_etcd_has_forgotten_is_listed_anew(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    decode = collection.decoded

    def overheard(line: bytes) -> Any:
        heard.append(decode(line))
        return heard[-1]

    monkeypatch.setattr(collection, "decoded", overheard)
    before = eventually(lambda: story.passed_at, "the first full pass")
    story.found()
    story.written(MAPS, config("one", "b"))
    story.found(one="drifted")
    with story.wire.hold():
        story.written(MAPS, config("one"))
        story.deleted(MAPS, "two")
        story.written(MAPS, config("steady", "b"))
        story.deleted(MAPS, "quiet-1")
        story.made(MAPS, config("quiet-1"))
        compact(story.plane)
    story.found(two="missing", steady="drifted")
    assert [one["object"]["code"] for one in heard if one["type"] == "ERROR"] == [410]
    compact(story.plane)
    story.made(MAPS, config("two"))
    story.written(MAPS, config("steady"))
    story.found()
    assert story.passed_at == before


def test_a_clock_that_is_wrong_and_jumps_loses_no_finding_and_makes_up_none(story: Story, state: State) -> None:
    with wrong_clock() as clock:
        clock.by = HOURS
        story.written(MAPS, config("one", "ahead"))
        story.found(one="drifted")
        ahead = finding(state, "one")
        clock.by = -HOURS  # it jumps by four hours, back
        story.written(MAPS, config("two", "behind"))
        story.found(one="drifted", two="drifted")
        check(state)
        whole_pass(story, state)
        behind = finding(state, "one")
        assert behind["firstSeen"] < ahead["firstSeen"]
        assert [behind[name] for name in ("occurrences", "fingerprint")] == [ahead["occurrences"], ahead["fingerprint"]]
        check(state)
        clock.by = HOURS
        story.detector.stop()
        story.deleted(MAPS, "comes-and-goes")
        story.detector.start()
        story.found(one="drifted", two="drifted", **{"comes-and-goes": "missing"})
        clock.by = -HOURS
        story.written(MAPS, config("one"))
        story.written(MAPS, config("two"))
        story.made(MAPS, config("comes-and-goes"))
        story.found()
        check(state)
    story.written(MAPS, config("one", "right"))
    story.found(one="drifted")
    story.written(MAPS, config("one"))
    story.found()
    check(state)
    assert pasts(state) == {
        "one": ["detected", "resolved"] * 3,
        "two": ["detected", "resolved"] * 2,
        "steady": ["detected", "resolved"],
        "comes-and-goes": ["detected", "resolved"],
    }


def whole_pass(story: Story, state: State) -> None:
    """Compare all, and wait until that is noted: the time of a pass is the wrong clock's."""
    before = last_pass(state).observed_at
    story.detector.running.scan_soon()
    eventually(lambda: last_pass(state).observed_at != before, "another full pass")


def test_what_a_clock_that_was_ahead_has_written_is_not_taken_for_the_present(story: Story, state: State) -> None:
    with wrong_clock() as clock:
        clock.by = HOURS
        story.written(MAPS, config("two", "ahead"))
        story.found(two="drifted")
        whole_pass(story, state)
        after = last_pass(state).observed_at
        eventually(lambda: read_watch(state).current_at >= after, "the watch to be current")
        story.detector.stop()
    app = make_app(story.detector.directory / "state", TOKEN).test_client()
    metadata = asked(app, "/api/v1/drift")["metadata"]
    assert metadata["stale"], metadata
    assert "the clock was set back" in metadata["staleReason"]
    assert asked(app, "/api/v1/drift/summary")["total"]["open"]["oldestSeconds"] == 0
    page = app.get("/", headers=bearer())
    assert page.status_code == 200
    assert "the clock was set back" in page.text
    samples = app.get("/metrics", headers=bearer()).text
    assert not re.findall(r"^setscrew_\S+(?:\{.*\})? -.*$", samples, re.MULTILINE)
    story.detector.start()
    story.written(MAPS, config("two"))
    story.found()
    eventually(lambda: not asked(app, "/api/v1/drift")["metadata"]["stale"], "the report to be of now")
    check(state)


def bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN.decode()}"}


def asked(app: FlaskClient, path: str) -> dict[str, Any]:
    answer = app.get(path, headers=bearer())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


@contextmanager
def killed_in_the_end(story: Story) -> Iterator[subprocess.Popen[bytes]]:
    """A `setscrew reconcile` of its own over the same state directory, ended by SIGKILL wherever it is."""
    detector = story.detector
    places = ("--state", detector.directory / "state", "--config", detector.directory / "config")
    who = ("--kubeconfig", detector.kubeconfig)
    how = ("--allow-local-sources", "--enforce", "--scan-interval", "0.5")
    command = [sys.executable, "-m", "setscrew", "reconcile", *map(str, (*places, *who, *how))]
    with (detector.directory / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield process
        assert process.poll() is None, (detector.directory / "log").read_text()
    finally:
        os.kill(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()


def test_killed_at_any_point_it_knows_afterwards_just_what_there_is(story: Story, state: State) -> None:
    story.detector.stop()
    dice = random.Random(9)  # noqa: S311 - not for secrets
    began, passes = dict[str, str](), set[str]()
    story.written(MAPS, config("steady", "b"))
    for number in range(KILLS):
        before = last_pass(state).observed_at
        with killed_in_the_end(story):
            if number % 3 == 0:  # else it may be killed before its first look
                eventually(lambda: last_pass(state).observed_at != before, "a full pass", pause=0.01)  # noqa: B023
            for _ in range(dice.randrange(1, 4)):
                disturb(story, dice)
                time.sleep(dice.uniform(0, 0.8))
        passes.add(last_pass(state).observed_at)
        check(state)
        if not began:
            began = {"firstSeen": finding(state, "steady")["firstSeen"]}
    assert len(passes) >= KILLS // 3
    story.written(MAPS, config("flips", "last"))
    remake(story, there=False)
    story.detector.start()
    story.found(steady="drifted", flips="drifted", **{"comes-and-goes": "missing"})
    check(state)
    steady = finding(state, "steady")
    assert {name: steady[name] for name in began} == began
    assert pasts(state)["steady"] == ["detected", "resolved", "detected"]
    assert not [name for name in pasts(state) if name.startswith("quiet")]
    happened = [event for events in pasts(state).values() for event in events]
    days = read_days(state, stamp(datetime.now(UTC) + timedelta(days=1)))
    assert counted(state) == sum(day.found for day in days) == happened.count("detected")
    assert sum(day.resolved for day in days) == happened.count("resolved")


def disturb(story: Story, dice: random.Random) -> None:
    """What somebody does while it runs."""
    if dice.random() < 0.7:
        story.written(MAPS, config("flips", dice.choice("abcd")))
    else:
        remake(story, there=dice.random() < 0.5)


def remake(story: Story, *, there: bool) -> None:
    path = f"{MAPS}/comes-and-goes"
    if there and story.plane.request("GET", path).status == 404:
        story.made(MAPS, config("comes-and-goes"))
    elif not there:
        story.plane.request("DELETE", path)


def counted(state: State) -> float:
    """How often drift began by the count that metrics show."""
    count_on(state, "2030-01-01T00:00:00Z")
    return sum(read_totals(state).detected.values())


def test_one_that_cannot_start_while_the_api_server_is_away_leaves_what_is_known(story: Story, state: State) -> None:
    eventually(lambda: story.passed_at, "a full pass")
    before = states(state)
    story.detector.stop()
    story.plane.stop_component("kube-apiserver")
    with pytest.raises(UnreachableError):  # whoever runs it tries again
        story.detector.start()
    assert states(state) == before
    story.plane.start_component("kube-apiserver")
    story.written(MAPS, config("one", "b"))
    story.detector.start()
    story.found(**before, one="drifted")
    app = make_app(story.detector.directory / "state", TOKEN).test_client()
    eventually(lambda: not asked(app, "/api/v1/drift")["metadata"]["stale"], "all is known again")
    check(state)
    log = story.detector.directory / "log"
    assert "Traceback" not in (log.read_text() if log.exists() else "")


def states(state: State) -> dict[str, str]:
    """State by name of all that is not in sync, as it is stored."""
    return {one["name"]: one["state"] for one in read_findings(state, limit=10_000)[0]}
