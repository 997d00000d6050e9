"""Healing as it runs: findings in, corrections out, each in its turn and told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.pace import Pace
from reconciler.errors import StoreError, UnreachableError
from reconciler.limits import HEAL_FORGET_SECONDS
from reconciler.loop import healing as module
from reconciler.loop.correcting import Healer, Outcome
from reconciler.loop.desired import Desired
from reconciler.loop.healing import Healing
from reconciler.loop.reading import Reader
from reconciler.model.own import OFF
from reconciler.model.tree import ABSENT
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Subject
from reconciler.render.embedded_loader import load_embedded
from reconciler.render.spec import RenderTools
from reconciler.report.drift import Attribution, DriftItem, finding_id
from reconciler.report.item import drift_item
from reconciler.report.scope import drift_of
from reconciler.snapshot.model import Adopter, MemorySnapshot
from reconciler.source.spec import GitRef, GitSource
from reconciler.store.grants import add_grant
from reconciler.store.healing import read_healing
from reconciler.store.history import read_history
from reconciler.store.state import State, open_state, sqlite_url
from tests.support.fake_api import refused
from tests.support.fake_objects import FakeObjects
from tests.support.offline import offline
from tests.unit.heal.conftest import Declare, Declared

SOMEBODY = Attribution("kubectl-edit")
NOW = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {mode: a}\n"


@dataclass
class Ward:
    """One object that somebody changes, and who puts it back."""

    one: Declared
    state: State
    said: list[str] = field(default_factory=list)
    looked: list[set[str]] = field(default_factory=list)
    now: float = 1000.0
    # What the clock says at NOW: it begins anew with each process.
    zero: float = 1000.0
    trouble: str = ""
    healing: Healing = field(init=False)
    cluster: FakeObjects = field(init=False)
    current: MemorySnapshot = field(init=False)

    def __post_init__(self) -> None:
        self.current = self.one.snapshot
        self.cluster = FakeObjects(self.one.live, self.one.entry.object.types)
        self.healing = self._begun()

    def _begun(self) -> Healing:
        good: Any = type("Good", (), {"state": self.current.sources["shop"], "objects": (self.one.rendered,)})
        good.spec = type("Spec", (), {"namespace": ""})
        desired = Desired(lambda: self.current, self._look, lambda _: self.trouble, lambda: {"shop": good})
        return Healing(
            Healer(self.cluster, self.cluster),  # type: ignore[arg-type]
            desired,
            self.state,
            self.said.append,
            lambda: self.calendar,
            lambda: self.now,
            Pace(1e9),
        )

    @property
    def calendar(self) -> datetime:
        """What time it is."""
        return NOW + timedelta(seconds=self.now - self.zero)

    def restart(self, passed: float = 0.0, jump: float = 0.0) -> None:
        """Killed, and begun anew so many seconds later; the calendar jumps by as many more."""
        later = self.now - self.zero + passed + jump
        self.now, self.zero = 5.0, 5.0 - later
        self.healing = self._begun()

    def _look(self, names: Iterable[str]) -> None:
        self.looked.append(set(names))

    def drift(self, mode: str = "b", by: Attribution = SOMEBODY) -> None:
        """Somebody writes, and the report sees it."""
        self.cluster.put({**self.one.live, "data": {"mode": mode}})
        self.tell(by)

    def tell(self, by: Attribution = SOMEBODY, revision: str = "") -> None:
        """Findings of the object as it is."""
        live = self.cluster.live
        found = None if live is None else drift_of(self.one.entry, live, self.current, load_embedded)
        item = drift_item(self.one.entry, found, ABSENT if live is None else live, now=NOW, attribution=by)
        self.told(replace(item, source=replace(item.source, revision=revision or item.source.revision)))

    def adopted(self) -> None:
        """A tool applies the source."""
        source = replace(self.one.snapshot.sources["shop"], adopter=Adopter("Application", "shop", "argocd"))
        self.current = self.one.snapshot = replace(self.one.snapshot, sources={"shop": source})

    def wants(self, other: Declared) -> None:
        """Git says something else from now on."""
        self.one, self.current = other, other.snapshot

    def told(self, item: DriftItem) -> None:
        """One finding."""
        self.healing.told([item], self.current, NOW)

    def turn(self, passed: float = 0.0) -> int:
        """How many corrections were made when so many seconds have passed."""
        self.now += passed
        before = len(self.cluster.real)
        self.healing.turn()
        self.tell()
        return len(self.cluster.real) - before

    @property
    def history(self) -> list[dict[str, Any]]:
        return read_history(self.state, finding_id(self.one.entry.ref))


@pytest.fixture
def ward(declare: Declare, tmp_path: Path) -> Ward:
    return Ward(declare(MAP), open_state(sqlite_url(tmp_path / "state.db")))


def test_what_drifts_is_put_back_told_and_kept(ward: Ward) -> None:
    ward.drift(by=Attribution("kubectl-edit", "dana", confidence="admission"))
    assert ward.turn() == 1
    assert ward.looked == [{"shop"}]
    assert ward.said == ["put back ConfigMap shop/settings (applied): data.mode, written by dana (kubectl-edit)"]
    (event,) = ward.history
    assert event == {
        "event": "healed",
        "time": "2026-11-22T04:30:00Z",
        "verb": "apply",
        "fields": ["data.mode"],
        "revision": ward.current.sources["shop"].revision,
        "opponent": "dana (kubectl-edit)",
    }
    assert ward.healing.counts == {"healed": 1}


def test_a_policy_that_says_never_is_obeyed(declare: Declare, tmp_path: Path) -> None:
    ward = Ward(declare(MAP, heal="Never"), open_state(sqlite_url(tmp_path / "state.db")))
    ward.drift()
    assert ward.turn(1000) == 0
    assert (ward.cluster.written, ward.looked, ward.said) == ([], [], [])


def test_without_an_identity_nothing_is_written_and_that_is_said_once(ward: Ward) -> None:
    ward.healing.healer = None
    ward.drift()
    ward.drift("c")
    assert ward.turn() == 0
    assert len(ward.said) == 1
    assert "--healer-kubeconfig" in ward.said[0]


def test_what_git_says_no_more_is_not_put_back(ward: Ward) -> None:
    """A GitOps tool may be ahead of the snapshot: Git is looked at first."""

    def newer(_: Iterable[str]) -> None:
        ward.current = replace(ward.one.snapshot, entries=())

    ward.healing.desired = replace(ward.healing.desired, look=newer)
    ward.drift()
    ward.healing.turn()
    assert ward.cluster.written == []


def test_each_wait_is_longer_than_the_last_while_somebody_undoes_it(ward: Ward) -> None:
    corrected, began = list[float](), ward.now
    for _ in range(1000):
        ward.drift()
        if ward.turn():
            corrected.append(ward.now - began)
        ward.now += 0.5
    assert corrected[:5] == [0.0, 2.0, 8.0, 26.0, 80.0]
    assert corrected[5] == 380.0


def test_a_fight_is_named_once_with_its_opponent_and_goes_on_every_five_minutes(ward: Ward) -> None:
    for _ in range(5):
        ward.drift(by=Attribution("keda-operator"))
        ward.turn(20)
        ward.now += 100
        ward.tell()  # it is in sync, and has been for long: that is no peace
    assert ward.healing.counts["fight"] == 1
    assert [event["event"] for event in ward.history].count("fight") == 1
    fight = next(event for event in ward.history if event["event"] == "fight")
    assert (fight["opponent"], fight["corrections"], fight["pause"]) == ("keda-operator", 5, 300)
    assert [line for line in ward.said if "a fight over ConfigMap shop/settings" in line and "keda-operator" in line]
    corrections = ward.healing.counts["healed"]
    ward.drift()
    assert ward.turn(150) == 0
    assert ward.turn(150) == 1
    assert ward.healing.counts["healed"] == corrections + 1


def test_what_git_wants_anew_is_put_back_at_once(ward: Ward, declare: Declare) -> None:
    ward.drift()
    ward.turn()
    ward.drift()
    assert ward.turn(0.1) == 0
    ward.tell(revision="main@sha1:" + "b" * 40)
    ward.healing.turn()
    assert len(ward.cluster.real) == 1, "a commit that is about other objects changes nothing"
    ward.wants(declare(MAP.replace("mode: a", "mode: c")))
    ward.tell()
    ward.healing.turn()
    assert len(ward.cluster.real) == 2


def test_commits_about_other_objects_do_not_put_an_object_off(ward: Ward) -> None:
    """A busy repository has one every few minutes: the tool's five minutes for a revision would never end."""
    ward.adopted()
    ward.drift()
    corrections = []
    for number in range(4):
        ward.tell(revision=f"main@sha1:{number:040}")
        corrections.append(ward.turn())
        ward.now += 240
    assert corrections == [0, 0, 1, 0]
    ward.drift()
    ward.tell(revision="main@sha1:" + "c" * 40)
    assert ward.turn() == 1, "it was as wanted before, and nothing else is wanted now"


def test_the_tool_that_deploys_a_source_has_five_minutes_for_a_new_revision(ward: Ward) -> None:
    """It has hooks and waves, and people who say when: nobody deploys ahead of it."""
    ward.adopted()
    ward.drift()
    assert [ward.turn(), ward.turn(299), ward.turn(1)] == [0, 0, 1]
    ward.drift()
    assert ward.turn(2) == 1, "what was once as this revision says is put back at once"


def test_a_failure_is_told_once_for_each_reason_and_tried_again(ward: Ward) -> None:
    ward.cluster.judge = lambda _was, _now: refused(422, "data: x: field is immutable", "Invalid", ("data",))
    ward.drift()
    for _ in range(10):
        ward.turn(400)
    assert ward.cluster.real == []
    assert ward.said == ["could not put back ConfigMap shop/settings: Invalid at data: field is immutable"]
    assert [event["event"] for event in ward.history] == ["heal-failed"]
    assert ward.history[0]["reason"] == "Invalid at data: field is immutable"
    assert ward.healing.counts["heal-failed"] == 10
    ward.cluster.judge = lambda _was, _now: None
    assert ward.turn(400) == 1


def test_an_object_that_nobody_foresaw_waits_for_itself_and_stands_in_nobodys_way(
    declare: Declare, tmp_path: Path
) -> None:
    ward = Ward(declare(MAP), open_state(sqlite_url(tmp_path / "state.db")))
    odd = declare(MAP.replace("name: settings", "name: a-odd"))
    ward.current = ward.one.snapshot = replace(ward.one.snapshot, entries=(odd.entry, ward.one.entry))

    class Odd(Healer):
        def correct(self, entry: Any, rendered: Any, snapshot: Any) -> Outcome:
            if entry.ref.name == "a-odd":
                raise TypeError("hunter2 is not JSON serializable")
            return super().correct(entry, rendered, snapshot)

    ward.healing.healer = Odd(ward.cluster, ward.cluster)  # type: ignore[arg-type]
    ward.told(drift_item(odd.entry, None, ABSENT, now=NOW))
    ward.drift()
    assert [entry.ref.name for _, entry in ward.healing._due()] == ["a-odd", "settings"]
    assert ward.turn() == 1
    (failed,) = read_history(ward.state, finding_id(odd.entry.ref))
    assert (failed["event"], failed["reason"].partition(":")[0]) == ("heal-failed", "TypeError in test_healing.py")
    assert "hunter2" not in f"{failed} {ward.said}"
    assert ward.healing._due() == []
    ward.turn(2)
    assert ward.healing.counts["heal-failed"] == 2


def test_a_grant_keeps_its_objects_from_being_put_back_until_it_ends(ward: Ward) -> None:
    now = NOW.timestamp()
    grant = Grant("night", (Subject(user="dana"),), Scope(kinds=("ConfigMap",)), "why", not_after=now + 60)
    add_grant(ward.state, grant, "asked", now)
    ward.drift()
    assert ward.turn() == 0
    assert ward.said == ["not put back: ConfigMap shop/settings: grant night lets people change it"]
    ward.healing.now = lambda: datetime.fromtimestamp(now + 61, UTC)
    assert ward.turn(10) == 1


def test_nothing_is_put_back_while_the_newest_revision_does_not_count(ward: Ward) -> None:
    ward.trouble = "MIG-04: held"
    ward.drift()
    assert ward.turn() == 0
    assert ward.looked == [], "Git is asked for what may be put back, not at each pass"
    ward.trouble = ""
    assert ward.turn(10) == 1


def test_what_stood_in_the_way_is_looked_at_again_soon_and_told_once_for_each_reason(ward: Ward) -> None:
    ward.drift()
    for why in ("MIG-04: held", "MIG-04: held", "it is suspended"):
        ward.trouble = why
        ward.now += 10
        ward.healing.turn()
    why = "not put back: ConfigMap shop/settings: the newest revision of its source is not in force:"
    assert ward.said == [f"{why} MIG-04: held", f"{why} it is suspended"]
    ward.trouble = ""
    ward.now += 9
    ward.healing.turn()
    assert ward.cluster.written == []
    ward.now += 1
    ward.healing.turn()
    assert len(ward.cluster.real) == 1, "no pass had to find it anew"


def test_nothing_is_put_back_while_the_guard_is_switched_off(ward: Ward) -> None:
    off = {"metadata": {"name": "setscrew", "annotations": {OFF: "2026-11-22T03:10:00Z dana"}}}
    ward.cluster.registration = off
    ward.drift()
    for _ in range(3):
        assert ward.turn(10) == 0
    assert ward.cluster.written == []
    (said,) = ward.said
    assert said.startswith("nothing is put back while the guard is switched off (2026-11-22T03:10:00Z dana): ")
    ward.cluster.registration = {"metadata": {"name": "setscrew"}}
    assert ward.turn(10) == 1


def test_who_switches_the_guard_off_while_git_is_looked_at_stops_what_was_planned(ward: Ward) -> None:
    def switch(_: Iterable[str]) -> None:
        ward.cluster.registration = {"metadata": {"annotations": {OFF: ""}}}

    ward.healing.desired = replace(ward.healing.desired, look=switch)
    ward.drift()
    assert ward.turn() == 0
    assert ward.cluster.written == []
    assert "at an unknown time" in ward.said[0]


def test_where_nobody_can_say_whether_the_guard_is_off_nothing_is_put_back(ward: Ward) -> None:
    def silent() -> str:
        raise UnreachableError("no answer in time")

    ward.healing.healer = type("Silent", (), {"off": staticmethod(silent)})()
    ward.drift()
    with pytest.raises(UnreachableError):
        ward.healing.turn()
    assert (ward.cluster.written, ward.looked) == ([], [])


def test_a_form_that_the_api_server_confirms_is_waited_for_no_longer(declare: Declare, tmp_path: Path) -> None:
    ward = Ward(declare(MAP, form={"confidence": "offline"}), open_state(sqlite_url(tmp_path / "state.db")))
    ward.drift()
    assert ward.turn() == 0
    ward.wants(declare(MAP))
    ward.tell()
    assert ward.turn() == 1


def test_what_cannot_be_put_back_as_it_is_declared_costs_no_request(declare: Declare, tmp_path: Path) -> None:
    ward = Ward(declare(MAP, form={"confidence": "offline"}), open_state(sqlite_url(tmp_path / "state.db")))
    ward.drift()
    ward.turn(10)
    ward.turn(10)
    assert ward.looked == []
    assert ward.said == ["not put back: ConfigMap shop/settings: the API server has not confirmed its form"]


@pytest.mark.parametrize("state", ["unknown", "extra", "orphaned"])
def test_a_finding_of_another_state_is_left_alone(ward: Ward, state: Any) -> None:
    ward.drift()
    item = drift_item(ward.one.entry, None, {}, now=NOW)
    ward.told(replace(item, state=state))
    ward.healing.turn()
    assert ward.cluster.written == []


def test_what_is_at_rest_is_forgotten(ward: Ward) -> None:
    ward.drift()
    ward.turn()
    for _ in range(2):
        ward.now += 700
        ward.tell()
    assert ward.healing._patients == {}


def test_the_waits_go_on_over_restarts(ward: Ward) -> None:
    corrected, began = list[float](), ward.calendar
    for _ in range(1000):
        ward.drift()
        if ward.turn():
            corrected.append((ward.calendar - began).total_seconds())
            ward.restart()
        ward.now += 0.5
    assert corrected[:6] == [0.0, 2.0, 8.0, 26.0, 80.0, 380.0]


def test_a_fight_is_one_over_restarts_and_is_named_once(ward: Ward) -> None:
    for number in range(5):
        ward.drift(by=Attribution(f"keda-{number}"))
        ward.turn(20)
        ward.restart(100)
        ward.tell()
    (fight,) = (event for event in ward.history if event["event"] == "fight")
    assert (fight["opponent"], fight["corrections"]) == ("keda-4, keda-3, keda-2, keda-1, keda-0", 5)
    ward.drift()
    assert ward.turn(150) == 0
    ward.restart()
    ward.drift()
    assert ward.turn(60) == 1
    assert len([line for line in ward.said if "a fight over" in line]) == 1
    assert [event["event"] for event in ward.history].count("fight") == 1


@pytest.mark.parametrize("jump", [-7200.0, 0.0])
def test_after_a_restart_with_the_clock_set_back_nothing_waits_longer_than_its_wait(ward: Ward, jump: float) -> None:
    for _ in range(3):
        ward.drift()
        ward.turn(20)
    ward.restart(jump=jump)
    ward.drift()
    assert ward.turn(17) == 0
    assert ward.turn(1) == 1


def test_what_was_in_sync_for_its_whole_wait_begins_anew_after_a_restart(ward: Ward) -> None:
    for _ in range(3):
        ward.drift()
        ward.turn(20)
    ward.turn(1)
    ward.restart(30)
    ward.drift()
    assert ward.turn() == 1
    ward.drift()
    assert ward.turn(2) == 1


def test_a_failure_that_was_told_is_not_told_again_by_the_next_process(ward: Ward) -> None:
    ward.cluster.judge = lambda _was, _now: refused(422, "data: x: field is immutable", "Invalid", ("data",))
    ward.drift()
    ward.turn(400)
    ward.restart()
    ward.drift()
    ward.turn(400)
    assert len(ward.said) == 1
    assert [event["event"] for event in ward.history] == ["heal-failed"]


def test_what_is_at_rest_is_stored_no_longer(ward: Ward) -> None:
    ward.drift()
    ward.turn()
    assert len(read_healing(ward.state)) == 1
    for _ in range(2):
        ward.now += 700
        ward.tell()
    ward.healing.turn()
    assert read_healing(ward.state) == {}


def test_of_what_nothing_was_heard_for_long_nothing_is_remembered(ward: Ward) -> None:
    ward.drift()
    ward.turn()
    ward.restart(HEAL_FORGET_SECONDS)
    ward.healing.turn()
    assert (ward.healing._patients, read_healing(ward.state)) == ({}, {})


def test_what_could_not_be_stored_is_stored_with_the_next(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_state: State, _found: object, events: object = ()) -> None:
        if events:
            raise StoreError("no space left")

    ward.drift()
    with monkeypatch.context() as broken:
        broken.setattr(module, "keep_healing", full)
        with pytest.raises(StoreError):
            ward.turn()
    assert (len(ward.cluster.real), read_healing(ward.state)) == (1, {})
    ward.tell()
    ward.turn(1)
    (kept,) = read_healing(ward.state).values()
    assert kept.backoff.tries == 1


@pytest.mark.parametrize(("suspend", "why"), [(True, "it is suspended"), (False, "")])
def test_nothing_of_a_suspended_source_is_put_back(tmp_path: Path, suspend: bool, why: str) -> None:
    source = GitSource("shop", "file:///nowhere", GitRef("branch", "main"), suspend=suspend)
    reader = Reader(RenderTools(Path("/nonexistent/helm"), Path("/nonexistent/kubectl")), tmp_path / "mirrors")
    assert Desired.of(offline(tmp_path, (source,), reader, [], [])).trouble("shop") == why
