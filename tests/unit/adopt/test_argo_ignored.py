"""Owns what ignoring comes to: a field that an Application ignores is free at admission, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.adopt.argo import adopt_argo
from reconciler.policy.model import MaskRule
from reconciler.policy.select import policy_for
from reconciler.snapshot.model import Entry, MemorySnapshot
from tests.support.decisions import KEY, SOURCE, builtin_rules, canonical, review
from webhook.decision.decide import decide
from webhook.decision.review import decode

SCALED = [{"op": "replace", "path": "/spec/replicas", "value": 9}]
MOVED = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other"}]


def ignoring(**entry: Any) -> tuple[MaskRule, ...]:
    """The rules of an Application `web` that ignores this of Deployments."""
    spec = {
        "destination": {"server": "https://kubernetes.default.svc"},
        "source": {"repoURL": "https://git.example.com/a.git"},
        "ignoreDifferences": [{"group": "apps", "kind": "Deployment", **entry}],
    }
    found = adopt_argo({"kind": "Application", "metadata": {"name": "web", "namespace": "argocd"}, "spec": spec})
    assert found.ignores
    return found.ignores


def allowed(rules: tuple[MaskRule, ...], patch: list[Any], *, who: str = "alice") -> bool:
    everything = replace(builtin_rules(), masks=(*builtin_rules().masks, *rules))
    form = canonical("web", everything)
    policy = policy_for(everything.policies, form.ref, SOURCE.name, {})
    assert policy is not None
    held = MemorySnapshot((Entry(form, policy, adopted=True),), everything, {SOURCE.name: SOURCE}, KEY, "d" * 64)
    return decide(decode(review({"object": "web", "as": who, "patch": patch})), held, 0.0).allowed


def of_this_source(rules: tuple[MaskRule, ...]) -> tuple[MaskRule, ...]:
    return tuple(replace(rule, sources=(SOURCE.name,)) for rule in rules)


@pytest.mark.parametrize("who", ["alice", "hpa", "argo", "system:node:a"])
def test_an_ignored_field_is_free_for_everybody_and_no_other_is(who: str) -> None:
    rules = of_this_source(ignoring(jsonPointers=["/spec/replicas"]))
    assert allowed(rules, SCALED, who=who)
    assert not allowed(rules, MOVED, who="alice")


def test_what_another_application_ignores_stays_held() -> None:
    assert not allowed(ignoring(jsonPointers=["/spec/replicas"]), SCALED)


def test_an_item_is_free_by_its_name() -> None:
    chosen = '.spec.template.spec.containers[]? | select(.name == "{}") | .image'
    assert allowed(of_this_source(ignoring(jqPathExpressions=[chosen.format("app")])), MOVED)
    assert not allowed(of_this_source(ignoring(jqPathExpressions=[chosen.format("side")])), MOVED)


def test_what_a_manager_writes_is_not_free_for_whoever_takes_its_name() -> None:
    rules = of_this_source(ignoring(managedFieldsManagers=["rollouts"]))
    assert not allowed(rules, SCALED)
