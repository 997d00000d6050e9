"""What a policy leaves to others is no drift in the report either."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from reconciler.compare.comparison import Change
from reconciler.model.tree import ABSENT
from reconciler.policy.model import Delegation, OptOut, Policy, Subject
from reconciler.report.scope import guarded_changes
from tests.support.decisions import builtin_rules, snapshot

Klass = Literal["changed", "extra", "default-overridden"]


def change(klass: Klass, *place: str) -> Change:
    desired = ABSENT if klass == "extra" else 1
    return Change("/" + "/".join(place), "replace", desired, 2, klass, place, ".".join(place))


ALL = [change("changed", "spec", "a"), change("extra", "spec", "b"), change("default-overridden", "spec", "c")]


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (Policy("strict"), ["changed", "extra", "default-overridden"]),
        (Policy("open", undeclared="Allow"), ["changed", "default-overridden"]),
        (Policy("part", fragment=True), ["changed"]),
    ],
)
def test_the_policy_says_what_is_drift(policy: Policy, left: list[str]) -> None:
    held = snapshot(["web"])
    entry = replace(held.entries[0], policy=policy)
    assert [one.klass for one in guarded_changes(ALL, entry, held.rules)] == left


def test_an_addition_to_a_closed_definition_is_drift_also_where_a_policy_leaves_additions_to_others() -> None:
    held = snapshot(["deviceclass"])
    entry = replace(held.entries[0], policy=Policy("open", undeclared="Allow"))
    beside = change("extra", "other", "b")
    assert guarded_changes([*ALL, beside], entry, held.rules) == tuple(ALL)


@pytest.mark.parametrize(
    ("paths", "operations", "left"),
    [
        (["/spec/a"], [], ["extra", "default-overridden"]),
        (["/spec/b"], [], ["changed", "default-overridden"]),
        (["/spec/**"], ["CREATE"], []),
        (["/spec/a"], ["DELETE"], ["changed", "extra", "default-overridden"]),
        (["/spec/a/below"], [], ["changed", "extra", "default-overridden"]),
    ],
)
def test_what_a_policy_delegates_is_no_drift(paths: list[str], operations: list[str], left: list[str]) -> None:
    held = snapshot(["web"])
    to = Delegation(tuple(paths), ("apps/Deployment",), (Subject(user="alice"),), tuple(operations))
    entry = replace(held.entries[0], policy=Policy("own", delegate=(to,)))
    assert [one.klass for one in guarded_changes(ALL, entry, held.rules)] == left


def test_a_shipped_delegation_hides_additions_at_its_paths_and_nothing_else() -> None:
    held = snapshot(["web"])
    named = Delegation(("/spec/a", "/spec/b"), ("*",), (Subject(user="alice"),))
    rules = replace(held.rules, delegations=(named, replace(named, paths=("/**",))))
    found = guarded_changes(ALL, held.entries[0], rules)
    assert [one.klass for one in found] == ["changed", "default-overridden"]


@pytest.mark.parametrize(
    ("name", "place"),
    [("role", ("rules", "1")), ("binding", ("subjects", "1")), ("config", ("data", "ca.crt"))],
    ids=["a right", "one who gets it", "a key that another ConfigMap has by the cluster"],
)
def test_what_the_cluster_repairs_of_its_own_is_drift_where_somebody_adds_it(name: str, place: tuple[str, ...]) -> None:
    held = snapshot([name])
    added = change("extra", *place)
    assert guarded_changes([added], held.entries[0], builtin_rules()) == (added,)


def test_an_opt_out_of_git_leaves_all_but_its_own_key() -> None:
    held = snapshot(["web"])
    obj = held.entries[0].object
    metadata = {**obj.want["metadata"], "annotations": {"example.dev/hands-off": "yes"}}
    entry = replace(held.entries[0], object=replace(obj, want={**obj.want, "metadata": metadata}))
    rules = replace(held.rules, opt_outs=(OptOut("example.dev/hands-off", "yes", "for the test"),))
    key = change("changed", "metadata", "annotations", "example.dev/hands-off")
    assert guarded_changes([*ALL, key], entry, rules) == (key,)
