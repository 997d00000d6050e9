"""Holds that what several sources declare together reaches the snapshot: here, autoscalers and their targets."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from reconciler.loop.assemble import Assembly, assemble
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.snapshot.model import MemorySnapshot
from setscrew import configuration
from setscrew.cli.common import offline_context
from webhook.decision.decide import decide
from webhook.decision.types import Decision, Identity, Request

AUTOSCALER = Identity("system:serviceaccount:kube-system:horizontal-pod-autoscaler", uid="a-real-token")
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"replicas": 3},
}
HPA = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 8,
    },
}


def assembled(*trees: dict[str, Any]) -> Assembly:
    """Each tree is what a source of its own declares."""
    rules = configuration.load(None).rules
    context = offline_context(rules)
    return assemble(
        [(context, [RenderedObject(tree, Provenance(f"source-{i}"))]) for i, tree in enumerate(trees)], rules
    )


def answer(assembly: Assembly, replicas: int, identity: Identity = AUTOSCALER) -> Decision:
    new = copy.deepcopy(DEPLOYMENT)
    new["spec"]["replicas"] = replicas  # type: ignore[index] # the object above
    request = Request("u", "apps", "v1", "deployments", "Deployment", "UPDATE", identity, "shop", "web")
    snapshot = MemorySnapshot(assembly.entries({}, {}), configuration.load(None).rules)
    return decide(Request(**{**_fields(request), "object": new, "old": DEPLOYMENT}), snapshot, 0.0)


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__slots__}


@pytest.mark.parametrize(("replicas", "allowed"), [(2, True), (8, True), (1, False), (9, False)])
def test_a_declared_autoscaler_moves_declared_replicas_within_its_bounds(replicas: int, allowed: bool) -> None:
    assert answer(assembled(DEPLOYMENT, HPA), replicas).allowed is allowed


def test_a_person_stays_refused_within_the_bounds_of_an_autoscaler() -> None:
    assert not answer(assembled(DEPLOYMENT, HPA), 8, Identity("dana")).allowed


def test_an_autoscaler_that_git_does_not_declare_widens_nothing() -> None:
    assert not answer(assembled(DEPLOYMENT), 8).allowed


def test_a_confirmed_form_loses_its_range_with_the_autoscaler() -> None:
    both, alone = assembled(DEPLOYMENT, HPA), assembled(DEPLOYMENT)
    forms = {one.key: entry.object for one, entry in zip(both.objects.values(), both.entries({}, {}), strict=True)}
    assert [len(entry.object.ranges) for entry in both.entries({}, {})] == [1, 0]
    assert [entry.object.ranges for entry in alone.entries(forms, {})] == [()]
