"""Owns the hand-written objects that probing starts from, and their twins: a Pod in each kind that has a template, an
object in each served version of its kind. Must not know whether the API server takes them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.probe.shapes import Root, Shapes, Tree

SEEDS = Path(__file__).parent / "seeds"
NAMESPACE = "probe"
# A service account that Pods of the seeds name; the API server takes no Pod whose account is missing.
OTHER_ACCOUNT = "other"


@dataclass(frozen=True, slots=True)
class Seed:
    """An object to begin with; `thorough` is False for a twin whose like is probed in another kind."""

    root: Root
    tree: dict[str, Any]
    thorough: bool


def seeds(shapes: Shapes, folder: Path = SEEDS) -> list[Seed]:
    """All seeds with their kinds, without equals, in a stable order."""
    out: dict[str, Seed] = {}
    carriers = list(_read(folder / "carriers.yaml"))
    for path in sorted(folder.glob("*.yaml")):
        for written in _read(path):
            if path.name == "carriers.yaml":
                continue
            for tree in (written, *_carried(written, carriers)):
                for root in _versions(shapes, tree):
                    tree = _named({**tree, "apiVersion": root.api_version})
                    out.setdefault(repr(tree), Seed(root, tree, tree["kind"] in {written["kind"], "Deployment"}))
    return list(out.values())


def _read(path: Path) -> Iterator[dict[str, Any]]:
    for tree in yaml.safe_load_all(path.read_text("utf-8")):
        if tree:
            yield tree


def _carried(pod: Tree, carriers: list[Tree]) -> Iterator[dict[str, Any]]:
    """The kinds of carriers.yaml with the Pod as their template; `$spec` there says what they want of it."""
    if pod["kind"] != "Pod":
        return
    for carrier in carriers:
        tree = copy.deepcopy(carrier)
        wants = tree.pop("$spec", {})
        labels = (pod.get("metadata") or {}).get("labels") or {}
        template = {"metadata": {"labels": {"app": "probe", **labels}}, "spec": {**copy.deepcopy(pod["spec"]), **wants}}
        _put(tree, tree.pop("$at"), template)
        yield tree


def _put(tree: Tree, at: str, value: Tree) -> None:
    *parents, last = at.split(".")
    for name in parents:
        tree = tree.setdefault(name, {})
    tree[last] = value


def _versions(shapes: Shapes, tree: Tree) -> list[Root]:
    group = tree["apiVersion"].rpartition("/")[0]
    return [root for root in shapes.roots.values() if (root.group, root.kind) == (group, tree["kind"])]


def _named(tree: dict[str, Any]) -> dict[str, Any]:
    return {**tree, "metadata": {"name": "probe", **(tree.get("metadata") or {})}}
