"""Owns the rollout of an installation: shipped policies in copies that refuse nothing yet. Pure.

A copy stands one above its original, so it gives all that its original would, but for the action; policies that people
write stand above both. Where there is no copy the shipped policies count as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.model.own import API_VERSION, GROUP
from reconciler.policy.model import Action
from setscrew.installing.objects import PART_OF, PRODUCT, Document

STAGES: Final[tuple[Action, ...]] = ("Audit", "Warn", "Deny")
LABEL: Final = f"{GROUP}/rollout"
_PREFIX: Final = "rollout-"


def softened(shipped: Iterable[Mapping[str, Any]], action: Action) -> list[Document]:
    """Copies of the shipped policies with that action, none for Deny; what guards Setscrew itself is never softened.

    Nothing of a copy fails closed: a guard that refuses nothing may not stop anything by being away.
    """
    if action == "Deny":
        return []
    return [_copied(tree, action) for tree in shipped if tree.get("kind") == "DriftPolicy" and not _guards_us(tree)]


def is_of_rollout(tree: Mapping[str, Any]) -> bool:
    """Whether it is one of the copies."""
    return tree["kind"] == "DriftPolicy" and LABEL in (tree["metadata"].get("labels") or {})


def stage(levers: Iterable[Mapping[str, Any]]) -> Action:
    """How far the rollout is, by the policies in the cluster: the mildest of the copies counts."""
    actions = {str((tree.get("spec") or {}).get("action")) for tree in levers if is_of_rollout(tree)}
    return next((one for one in STAGES if one in actions), "Deny")


def beside(now: Action, steps: int) -> Action:
    """The stage so many steps further, the first or last where there is none."""
    return STAGES[min(max(STAGES.index(now) + steps, 0), len(STAGES) - 1)]


def _guards_us(tree: Mapping[str, Any]) -> bool:
    kinds = [kind for one in tree["spec"].get("match") or () for kind in one.get("kinds") or ()]
    return any(kind.startswith(f"{GROUP}/") for kind in kinds)


def _copied(tree: Mapping[str, Any], action: Action) -> Document:
    spec = copy.deepcopy(dict(tree["spec"]))
    spec |= {"priority": int(spec.get("priority", 0)) + 1, "action": action, "failurePolicy": "Ignore"}
    labels = {PART_OF: PRODUCT, LABEL: action}
    metadata = {"name": f"{_PREFIX}{tree['metadata']['name']}", "labels": labels}
    return {"apiVersion": API_VERSION, "kind": "DriftPolicy", "metadata": metadata, "spec": spec}
