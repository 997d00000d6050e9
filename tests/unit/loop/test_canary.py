"""Rounds of the canary: each entry in its turn, blindness until the contrary is proved, no alarm for what moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.cluster.canary import Finding, Proof
from reconciler.cluster.registered import Registered
from reconciler.loop.canary import Canary, Target, plan, restored
from reconciler.model.blind import Blind, BlindCause
from reconciler.snapshot.model import MemorySnapshot
from tests.support.small_snapshot import entry_of, snapshot_of
from webhook.registration.places import never_asked

RULES = snapshot_of("Pod").rules
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
APPS, CORE = "apps-v1.guard.setscrew.dev", "core-v1.guard.setscrew.dev"
STATUS = "apps-v1-status.guard.setscrew.dev"


def rule(group: str, resources: list[str], operations: tuple[str, ...] = ("CREATE", "UPDATE", "DELETE")) -> Any:
    return {"apiGroups": [group], "apiVersions": ["v1"], "resources": resources, "operations": list(operations)}


REGISTERED = Registered(
    "1",
    entries=(
        {"name": APPS, "rules": [rule("apps", ["deployments"])]},
        {"name": STATUS, "rules": [rule("apps", ["deployments/status"], ("UPDATE",))]},
        {"name": CORE, "rules": [rule("", ["configmaps"]), rule("", ["namespaces"], ("DELETE",))]},
    ),
)


@dataclass
class Log:
    """Stands for a BlindLog."""

    open: dict[str, Blind] = field(default_factory=dict)
    ended: list[tuple[str, datetime]] = field(default_factory=list)

    def begin(self, blind: Blind) -> None:
        self.open[blind.cause] = blind

    def end(self, cause: BlindCause, until: datetime) -> None:
        if self.open.pop(cause, None):
            self.ended.append((cause, until))


@dataclass
class Cage:
    """A canary over answers by entry's resource; `tried` are its targets."""

    answers: dict[str, Proof] = field(default_factory=dict)
    snapshot: MemorySnapshot = field(default_factory=lambda: snapshot_of("Deployment", "ConfigMap", "Secret"))
    log: Log = field(default_factory=Log)
    said: list[str] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    canary: Canary = field(init=False)

    def __post_init__(self) -> None:
        self.canary = Canary(self.attempt, lambda: self.snapshot, self.log, self.said.append, self.waited.append)

    def attempt(self, target: Target) -> Finding:
        name = f"{target.kind.resource}/{target.subresource}".rstrip("/")
        self.tried.append(f"{name} {target.ref.name}")
        proof = self.answers.get(f"{name} {target.ref.name}") or self.answers.get(name, "sees")
        return Finding(proof) if proof == "sees" else Finding(proof, "why", "fix")

    def round(self, minutes: int = 0, registered: Registered = REGISTERED) -> None:
        self.canary.round(registered, NOON + timedelta(minutes=minutes))

    def proofs(self) -> Mapping[str, str]:
        return {name: one.proof for name, one in self.canary.known.items()}


@pytest.fixture
def cage() -> Cage:
    return Cage()


def test_each_entry_is_proved_by_an_object_that_it_is_asked_about(cage: Cage) -> None:
    cage.round()
    assert cage.proofs() == {
        APPS: "sees", STATUS: "sees", CORE: "sees", "core-v1.guard.setscrew.dev (not registered)": "sees",
    }  # fmt: skip
    assert sorted(cage.tried) == ["configmaps one", "deployments one", "deployments/status one", "secrets one"]
    assert (cage.canary.state, cage.canary.saw, cage.said) == ("sees", NOON, [])


def test_an_admitted_change_is_an_alarm_each_round_until_it_is_refused_again(cage: Cage) -> None:
    cage.round()
    cage.answers["deployments"] = "blind"
    cage.round(1)
    cage.round(2)
    assert cage.log.open["canary"].since == NOON
    assert cage.log.open["canary"].entries == (APPS,)
    assert sum(line.startswith("BLIND") for line in cage.said) == 2
    assert (cage.canary.state, cage.canary.saw) == ("blind", NOON)
    del cage.answers["deployments"]
    cage.round(3)
    assert (cage.log.open, cage.log.ended) == ({}, [("canary", NOON + timedelta(minutes=3))])
    assert cage.said[-1] == f"canary: entry {APPS} sees again."


def test_what_cannot_be_told_is_neither_blind_nor_seeing(cage: Cage) -> None:
    cage.answers["deployments"] = "unsure"
    cage.round()
    assert (cage.canary.state, cage.canary.saw, cage.log.open) == ("unsure", None, {})
    assert cage.said == [f"canary: entry {APPS} could not be proved: why (fix)"]
    cage.round(1)
    assert len(cage.said) == 1


def test_not_to_know_does_not_end_blindness(cage: Cage) -> None:
    cage.answers["deployments"] = "blind"
    cage.round()
    cage.answers["deployments"] = "unsure"
    cage.round(1)
    assert "canary" in cage.log.open
    cage.answers["deployments"] = "silent"
    cage.round(2)
    assert (cage.log.open, cage.canary.state) == ({}, "silent")


def test_a_change_that_is_admitted_only_once_is_no_blindness(cage: Cage) -> None:
    answers = iter([Finding("blind"), Finding("sees")])
    cage.snapshot = snapshot_of("ConfigMap")
    cage.canary.attempt = lambda _: next(answers)
    cage.round()
    assert cage.waited == [1.0]
    assert (cage.canary.state, cage.log.open) == ("sees", {})
    assert cage.canary.admitted[CORE] == 1


def test_an_object_that_is_let_go_meanwhile_is_no_blindness(cage: Cage) -> None:
    cage.snapshot = snapshot_of("ConfigMap")
    cage.answers["configmaps"] = "blind"
    cage.canary.wait = lambda _: setattr(cage, "snapshot", MemorySnapshot((), cage.snapshot.rules))
    cage.round()
    assert cage.canary.state == "unsure"
    assert cage.log.open == {}


def test_an_object_that_is_gone_gives_way_to_another(cage: Cage) -> None:
    cage.snapshot = snapshot_of("ConfigMap", names=("one", "two"))
    cage.answers["configmaps one"] = "gone"
    cage.round()
    cage.round(1)
    assert cage.tried == ["configmaps one", "configmaps two", "configmaps two"]
    assert cage.canary.state == "sees"


def test_an_entry_without_any_object_in_the_cluster_is_named_and_spoils_no_state(cage: Cage) -> None:
    cage.answers["configmaps"] = "gone"
    cage.snapshot = snapshot_of("Deployment", "ConfigMap")
    cage.round()
    assert cage.canary.unproved == [CORE]
    assert (cage.canary.state, cage.canary.saw) == ("sees", NOON)


def test_many_objects_that_are_gone_are_tried_a_few_at_a_time(cage: Cage) -> None:
    names = tuple(f"n{number:02}" for number in range(12))
    cage.snapshot = snapshot_of("ConfigMap", names=names)
    cage.answers["configmaps"] = "gone"
    cage.answers["configmaps n11"] = "sees"
    for minute in range(3):
        cage.round(minute)
    assert cage.canary.state == "sees"
    assert len(cage.tried) == 12


def test_many_entries_take_turns(cage: Cage) -> None:
    rules = tuple({"name": f"e{n}.guard.setscrew.dev", "rules": [rule("", ["configmaps"])]} for n in range(12))
    cage.snapshot = snapshot_of("ConfigMap")
    for minute, pending in enumerate((7, 2, 0)):
        cage.round(minute, Registered("1", entries=rules))
        assert (cage.canary.pending, cage.canary.saw is None) == (pending, pending > 0)
    assert len(cage.proofs()) == 12


def test_the_off_switch_ends_it_all(cage: Cage) -> None:
    cage.answers["deployments"] = "blind"
    cage.round()
    cage.canary.off(NOON)
    assert (cage.log.open, cage.canary.known, cage.canary.unproved) == ({}, {}, [])


def test_a_process_goes_on_with_what_the_one_before_it_knew(cage: Cage) -> None:
    cage.round()
    cage.answers["deployments"] = "blind"
    cage.round(1)
    stored = {"entries": {name: one.as_json() for name, one in cage.canary.known.items()}}
    again = Cage(answers=cage.answers)
    again.canary.known = restored(stored)
    again.round(2)
    assert again.log.open["canary"].since == NOON
    assert restored({}) == {}


@pytest.mark.parametrize(
    "changed",
    [
        lambda one: replace(one, adopted=False),
        lambda one: replace(one, policy=replace(one.policy, action="Warn")),
        lambda one: replace(one, policy=replace(one.policy, action="Audit")),
        lambda one: replace(one, policy=replace(one.policy, fragment=True)),
    ],
    ids=["not adopted", "Warn", "Audit", "fragment"],
)
def test_what_is_not_refused_proves_nothing(changed: Any) -> None:
    snapshot = snapshot_of("ConfigMap")
    assert CORE in plan(snapshot, REGISTERED)
    assert plan(replace(snapshot, entries=tuple(map(changed, snapshot.entries))), REGISTERED) == {}


def test_pods_of_namespaces_that_are_left_out_prove_nothing() -> None:
    values = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["shop"]}
    pods = {
        "name": "p.guard.setscrew.dev",
        "rules": [rule("", ["pods"])],
        "namespaceSelector": {"matchExpressions": [values]},
    }
    snapshot = snapshot_of("Pod")
    assert "p.guard.setscrew.dev" not in plan(snapshot, Registered("1", entries=(pods,)))
    values["values"] = ["kube-system"]
    assert list(plan(snapshot, Registered("1", entries=(pods,)))) == ["p.guard.setscrew.dev"]


def selecting(name: str, *namespaces: str) -> Any:
    expression = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(namespaces)}
    return {
        "name": f"{name}.guard.setscrew.dev",
        "rules": [rule("", ["configmaps", "namespaces", "pods"])],
        "namespaceSelector": {"matchExpressions": [expression]},
    }


def test_an_entry_is_proved_only_in_the_namespaces_that_it_selects() -> None:
    hard, soft = selecting("hard", "shop"), selecting("soft", "play")
    entries = (entry_of("ConfigMap", namespace="shop"), entry_of("ConfigMap", namespace="play"))
    found = plan(
        MemorySnapshot((*entries, entry_of("Namespace", "play")), RULES), Registered("1", entries=(hard, soft))
    )
    targets = {name: [str(one.ref) for one in some] for name, some in found.items()}
    assert targets == {hard["name"]: ["ConfigMap shop/one"], soft["name"]: ["ConfigMap play/one", "Namespace play"]}


def test_an_object_in_a_namespace_that_no_entry_selects_is_tried_as_not_registered() -> None:
    found = plan(snapshot_of("ConfigMap"), Registered("1", entries=(selecting("hard", "play"),)))
    assert list(found) == ["core-v1.guard.setscrew.dev (not registered)"]


@pytest.mark.parametrize(
    ("kind", "namespace"),
    [("Pod", "kube-system"), ("Endpoints", "shop"), ("Event", "shop")],
)
def test_what_is_left_alone_on_purpose_is_no_alarm(kind: str, namespace: str) -> None:
    one = entry_of(kind, namespace=namespace)
    one = replace(
        one, object=replace(one.object, kind=replace(one.object.kind, resource=f"{kind.lower().rstrip('s')}s"))
    )
    snapshot = MemorySnapshot((one,), RULES)
    assert plan(snapshot, Registered("1", entries=(selecting("hard", "play"),)), never_asked) == {}
