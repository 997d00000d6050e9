"""Which sources are enforced and which objects are adopted: decided by the first comparison, remembered for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

import reconciler.loop.reconciler as module
from reconciler.errors import ClusterError, UnreachableError, UsageError
from reconciler.limits import SIGHTS_QUICKLY
from reconciler.loop import passes
from reconciler.loop.passes import full_pass
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.scan import Scan, Scope
from reconciler.policy.model import Adopt
from reconciler.report.drift import DriftItem, DriftState
from reconciler.report.item import drift_item
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.store.sources import read_sources
from tests.support.fake_api import FakeApi
from tests.unit.loop.conftest import CONFIG, Site

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TWO = CONFIG % ("one", "x") + "---\n" + CONFIG % ("two", "x")


class Cluster:
    """A cluster that a test fills: state and uid by name, missing where it says nothing; `down` where none answers."""

    def __init__(self) -> None:
        self.holds: dict[str, tuple[DriftState, str]] = {}
        self.down = False
        self.asked: list[str] = []

    def look(self, _client: object, scope: Scope, now: datetime, *_: object) -> list[DriftItem]:
        if self.down:
            raise UnreachableError("nobody answers")
        snapshot = scope.snapshot
        self.asked += [entry.object.ref.name for entry in snapshot.entries]
        return [self._item(entry, snapshot, now) for entry in snapshot.entries]

    def _item(self, entry: Entry, snapshot: MemorySnapshot, now: datetime) -> DriftItem:
        state, uid = self.holds.get(entry.object.ref.name, ("missing", ""))
        source = snapshot.sources[entry.object.provenance.source]
        return replace(drift_item(entry, None, None, now=now, source=source), state=state, uid=uid)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    one = Cluster()
    monkeypatch.setattr(module, "scan_entries", one.look)
    monkeypatch.setattr(passes, "scan", lambda *call: Scan(one.look(*call), frozenset(), frozenset()))
    return one


def started(
    site: Site, *, enforce: bool = False, last: MemorySnapshot | None = None, adopt: Adopt = "IfNoDiff"
) -> Reconciler:
    """A reconciler with a cluster, after its first look at Git."""
    found = site.reconciler(last=last)
    found.client = FakeApi(lambda _: {})  # type: ignore[assignment]  # what is compared is the fixture's
    found._standing.by_word = enforce
    policies = tuple(replace(one, adopt=adopt) for one in found.rules.policies)
    found.rules = replace(found.rules, policies=policies)
    found.sync()
    return found


def guard(found: Reconciler) -> dict[str, str]:
    """How each object is guarded, by name."""
    assert found.current is not None
    return {one.object.ref.name: one.policy.action if one.adopted else "not adopted" for one in found.current.entries}


def is_enforced(found: Reconciler, name: str = "shop") -> bool:
    assert found.current is not None
    return found.current.sources[name].enforced


def mode(found: Reconciler) -> Any:
    return read_sources(found.state)[0]["mode"]


def test_until_it_is_compared_a_new_source_refuses_nothing(site: Site, cluster: Cluster) -> None:
    site.push("shop", TWO)
    found = started(site)
    assert guard(found) == {"one": "Audit", "two": "Audit"}
    assert (is_enforced(found), mode(found)) == (False, "new")
    assert {one.policy.failure_policy for one in site.published[-1].entries} == {"Ignore"}


@pytest.mark.parametrize("clean", ["missing", "in-sync"])
def test_a_source_that_nothing_differs_from_is_enforced_by_itself(
    site: Site, cluster: Cluster, clean: DriftState
) -> None:
    site.push("shop", TWO)
    cluster.holds["one"] = (clean, "u1")
    found = started(site)
    full_pass(found, NOW)
    assert guard(found) == {"one": "Deny", "two": "Deny"}
    assert (is_enforced(found), mode(found)) == (True, "enforced")
    assert "source shop: enforced, for no object of it in the cluster differs from Git" in site.said


@pytest.mark.parametrize("different", ["drifted", "unknown"])
def test_a_source_with_drift_is_watched_and_the_log_says_how_to_enforce_it(
    site: Site, cluster: Cluster, different: DriftState
) -> None:
    site.push("shop", TWO)
    cluster.holds["one"] = (different, "u1")
    found = started(site)
    full_pass(found, NOW)
    assert guard(found) == {"one": "Audit", "two": "Audit"}
    assert (is_enforced(found), mode(found)) == (False, "watched")
    (line,) = (line for line in site.said if "watched" in line)
    assert "source shop: watched, for 1 of 2 objects differ from Git" in line
    assert "`setscrew enforce shop`" in line


def test_a_watched_source_stays_watched_when_its_drift_has_gone(site: Site, cluster: Cluster) -> None:
    site.push("shop", TWO)
    cluster.holds["one"] = ("drifted", "u1")
    found = started(site)
    full_pass(found, NOW)
    cluster.holds["one"] = ("in-sync", "u1")
    full_pass(found, NOW)
    assert mode(found) == "watched"


def test_nothing_is_decided_until_the_server_was_asked_about_every_form(site: Site, cluster: Cluster) -> None:
    site.push("shop", TWO)
    cluster.holds["one"] = ("unknown", "u1")
    found = started(site)
    found.forms.client = object()  # type: ignore[assignment]  # it has not answered yet
    one, two = found._assembly.objects.values()
    found.forms.reasons[one.key] = "its namespace does not exist"
    full_pass(found, NOW)
    assert mode(found) == "new"
    found.forms.reasons[two.key] = "its namespace does not exist"
    full_pass(found, NOW)
    assert mode(found) == "watched"


def test_enforcing_takes_in_all_of_a_source_and_off_undoes_it(site: Site, cluster: Cluster) -> None:
    site.push("shop", TWO)
    cluster.holds["one"] = ("drifted", "u1")
    found = started(site)
    full_pass(found, NOW)
    assert found.switch(["shop"], enforced=True) == {"shop": ("watched", "enforced")}
    assert guard(found) == {"one": "Deny", "two": "Deny"}
    assert found.switch([], enforced=False) == {"shop": ("enforced", "watched")}
    assert guard(found) == {"one": "Audit", "two": "Audit"}
    with pytest.raises(UsageError, match="no source is named 'shop2'"):
        found.switch(["shop2"], enforced=True)


def test_by_word_a_source_is_enforced_from_the_start_with_all_that_differs(site: Site, cluster: Cluster) -> None:
    site.push("shop", TWO)
    cluster.holds["one"] = ("drifted", "u1")
    found = started(site, enforce=True)
    assert guard(found) == {"one": "Deny", "two": "Deny"}
    found.switch(["shop"], enforced=False)
    site.push("shop", TWO.replace("x", "y"))
    found.sync()
    assert guard(found) == {"one": "Audit", "two": "Audit"}


@pytest.mark.parametrize("enforced", [True, False])
def test_a_restart_keeps_the_mode_also_while_git_is_gone(site: Site, cluster: Cluster, enforced: bool) -> None:
    site.push("shop", TWO)
    cluster.holds["one"] = ("drifted", "u1")
    before = started(site)
    full_pass(before, NOW)
    before.switch(["shop"], enforced=enforced)
    site.hide("shop")
    after = started(site, last=before.current)
    assert guard(after) == guard(before)
    assert is_enforced(after) is enforced


def test_what_is_carried_over_from_a_watched_source_can_be_enforced_while_git_is_gone(
    site: Site, cluster: Cluster
) -> None:
    site.push("shop", TWO)
    site.push("gpu", CONFIG % ("three", "x"))
    cluster.holds["one"] = ("drifted", "u1")
    before = started(site)
    full_pass(before, NOW)
    site.hide("shop")
    site.push("gpu", CONFIG % ("three", "y"))
    after = started(site, last=before.current)
    assert guard(after) == {"one": "Audit", "two": "Audit", "three": "Deny"}
    after.switch(["shop"], enforced=True)
    assert guard(after) == {"one": "Deny", "two": "Deny", "three": "Deny"}


def test_what_was_enforced_stays_so_when_the_snapshots_are_lost(site: Site, cluster: Cluster) -> None:
    site.push("shop", TWO)
    before = started(site)
    full_pass(before, NOW)
    cluster.holds["one"] = ("drifted", "u1")
    after = started(site)
    assert guard(after) == {"one": "Deny", "two": "Deny"}


def test_the_guards_own_levers_stay_guarded_in_a_watched_source(site: Site, cluster: Cluster) -> None:
    lever = "apiVersion: setscrew.dev/v1alpha1\nkind: DriftPolicy\nmetadata: {name: mine}\nspec: {action: Audit}\n"
    site.push("shop", f"{CONFIG % ('one', 'x')}---\n{CRD}---\n{lever}")
    found = started(site)
    assert guard(found) == {"one": "Audit", "driftpolicies.setscrew.dev": "Audit", "mine": "Deny"}


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: driftpolicies.setscrew.dev}
spec:
  group: setscrew.dev
  names: {kind: DriftPolicy, plural: driftpolicies}
  scope: Cluster
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


# Adoption: objects that are new in a source that is enforced already.


def enforced_with(site: Site, cluster: Cluster, adopt: Adopt, new: tuple[DriftState, str]) -> Reconciler:
    """A clean enforced source, to which Git adds `two`; the cluster holds `new` of it."""
    site.push("shop", CONFIG % ("one", "x"))
    found = started(site, adopt=adopt)
    full_pass(found, NOW)
    cluster.holds["two"] = new
    site.push("shop", TWO)
    found.sync()
    return found


@pytest.mark.parametrize(
    ("adopt", "state", "guarded"),
    [
        ("IfNoDiff", "missing", "Deny"),
        ("IfNoDiff", "in-sync", "Deny"),
        ("IfNoDiff", "drifted", "not adopted"),
        ("IfNoDiff", "unknown", "not adopted"),
        ("Always", "drifted", "Deny"),
        ("Never", "missing", "Deny"),
        ("Never", "in-sync", "not adopted"),
        ("Never", "drifted", "not adopted"),
    ],
)
def test_a_new_object_is_adopted_by_what_is_there_before_it_is_published(
    site: Site, cluster: Cluster, adopt: Adopt, state: DriftState, guarded: str
) -> None:
    found = enforced_with(site, cluster, adopt, (state, "" if state == "missing" else "u2"))
    assert guard(found) == {"one": "Deny", "two": guarded}


def test_what_differed_is_adopted_once_it_is_as_git_says_and_drift_after_that_changes_nothing(
    site: Site, cluster: Cluster
) -> None:
    found = enforced_with(site, cluster, "IfNoDiff", ("drifted", "u2"))
    full_pass(found, NOW)
    assert guard(found)["two"] == "not adopted"
    cluster.holds["two"] = ("in-sync", "u2")
    full_pass(found, NOW)
    assert guard(found)["two"] == "Deny"
    cluster.holds["two"] = ("drifted", "u2")
    full_pass(found, NOW)
    assert guard(found)["two"] == "Deny"


@pytest.mark.parametrize("now", [("missing", ""), ("drifted", "u3")])
def test_what_is_never_adopted_is_so_only_until_it_is_made_anew(
    site: Site, cluster: Cluster, now: tuple[DriftState, str]
) -> None:
    found = enforced_with(site, cluster, "Never", ("in-sync", "u2"))
    full_pass(found, NOW)
    assert guard(found)["two"] == "not adopted"
    again = started(site, last=found.current, adopt="Never")
    assert guard(again)["two"] == "not adopted"
    cluster.holds["two"] = now
    full_pass(again, NOW)
    assert guard(again)["two"] == "Deny"


def test_to_enforce_a_source_adopts_what_differs_but_not_what_a_policy_never_adopts(
    site: Site, cluster: Cluster
) -> None:
    found = enforced_with(site, cluster, "IfNoDiff", ("drifted", "u2"))
    found.switch(["shop"], enforced=True)
    assert guard(found) == {"one": "Deny", "two": "Deny"}


def test_to_enforce_a_source_leaves_alone_what_a_policy_never_adopts(site: Site, cluster: Cluster) -> None:
    found = enforced_with(site, cluster, "Never", ("drifted", "u2"))
    found.switch(["shop"], enforced=True)
    assert guard(found) == {"one": "Deny", "two": "not adopted"}


def test_while_the_cluster_does_not_answer_a_new_object_is_reported_and_the_next_scan_decides(
    site: Site, cluster: Cluster
) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    found = started(site)
    full_pass(found, NOW)
    cluster.down = True
    site.push("shop", TWO)
    found.sync()
    assert guard(found) == {"one": "Deny", "two": "not adopted"}
    with pytest.raises(ClusterError):
        full_pass(found, NOW)
    cluster.down = False
    full_pass(found, NOW)
    assert guard(found) == {"one": "Deny", "two": "Deny"}


def test_of_many_new_objects_only_some_are_looked_at_before_they_are_published(site: Site, cluster: Cluster) -> None:
    site.push("shop", CONFIG % ("one", "x"))
    found = started(site)
    full_pass(found, NOW)
    cluster.asked.clear()
    many = SIGHTS_QUICKLY + 20
    site.push("shop", "---\n".join(CONFIG % (f"new{number}", "x") for number in range(many)))
    found.sync()
    assert len(cluster.asked) == SIGHTS_QUICKLY
    assert sorted(guard(found).values()).count("not adopted") == 20
    full_pass(found, NOW)
    assert set(guard(found).values()) == {"Deny"}


def test_an_object_that_git_gives_up_and_declares_again_is_decided_anew(site: Site, cluster: Cluster) -> None:
    found = enforced_with(site, cluster, "IfNoDiff", ("in-sync", "u2"))
    site.push("shop", CONFIG % ("one", "x"))
    found.sync()
    cluster.holds["two"] = ("drifted", "u2")
    site.push("shop", TWO)
    found.sync()
    assert guard(found) == {"one": "Deny", "two": "not adopted"}
