"""Owns DRA-09: what the API server never changes in place. Must not judge a first creation.

A change of it in Git never arrives: every apply fails, and the cluster stays different.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.canonical.versions import converted
from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.cel import tokens
from reconciler.gpu.dra.requests import CLAIM, TEMPLATE, wrapped
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import amount, leaving, mapping, shown, text
from reconciler.gpu.world import GroupKind, World
from reconciler.limits import REVIEW_DEPTH
from reconciler.model.path import Path, readable
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, deeper_than, dig, is_number, strict_equal

RULES: Final = {"DRA-09": "What cannot be changed in place is not changed in place"}

_NVIDIA: Final = "resource.nvidia.com"
_DRA: Final = "resource.k8s.io/v1"
# The paths that never change once set, by kind.
_FIXED: Final[Mapping[GroupKind, tuple[tuple[str, ...], ...]]] = {
    CLAIM: (("spec",),),
    TEMPLATE: (("spec",),),
    (_NVIDIA, "ComputeDomain"): (("spec",),),
    ("kueue.x-k8s.io", "LocalQueue"): (("spec", "clusterQueue"),),
    ("kueue.x-k8s.io", "ResourceFlavor"): (("spec", "topologyName"),),
    ("node.k8s.io", "RuntimeClass"): (("handler",),),
    ("scheduling.k8s.io", "PriorityClass"): (("value",), ("preemptionPolicy",)),
}
_MADE_ANEW: Final = (
    ("kustomize.toolkit.fluxcd.io/force", "enabled"),
    ("argocd.argoproj.io/sync-options", "force=true"),
)
"""Annotations with which a GitOps tool deletes and creates what it cannot change."""
# The API server puts its own value in the place of an empty one.
_FILLED: Final = frozenset({"allocationMode", "count"})


def check(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """The first thing that Git declares otherwise than the live object has it, for each path that never changes."""
    live = world.live_twin(ref)
    if live is None or leaving(ref, live, world) or _made_anew(tree):
        return
    for fixed in _FIXED[(ref.group, ref.kind)]:
        # A claim's spec without the difference between versions.
        declared, held = (dig(converted(one, _DRA) or one, *fixed) for one in (tree, live))
        if declared is ABSENT or held is ABSENT or deeper_than([declared], REVIEW_DEPTH):
            continue
        if ref.group == _NVIDIA and text(tree, "apiVersion") != text(live, "apiVersion"):
            continue  # its versions differ in more than we know
        for path, said in _differences(declared, held, fixed):
            message = f"{readable(path)} {said}, but it never changes in place: no apply will succeed"
            fix = "take the change back, or declare a new object under another name and delete this one"
            there = path if wrapped(tree) else fixed
            yield Problem("DRA-09", "error", ref, there, message, fix)
            break


def _made_anew(tree: Tree) -> bool:
    annotations = mapping(tree, "metadata", "annotations")
    return any(words in str(annotations.get(name, "")).lower().replace(" ", "") for name, words in _MADE_ANEW)


def _differences(declared: Tree, held: Tree, path: Path) -> Iterator[tuple[Path, str]]:
    """Where what is declared stands otherwise in the live value; what is not declared may be a default."""
    if isinstance(declared, dict) and isinstance(held, dict):
        for key, value in declared.items():
            if key in _FILLED and value in (None, "", 0):
                continue
            if key in held:
                yield from _differences(value, held[key], (*path, str(key)))
            elif value not in (None, "", [], {}, False):
                yield (*path, str(key)), f"is new with {shown(value)}"
    elif isinstance(declared, list) and isinstance(held, list):
        if len(declared) != len(held):
            yield path, f"has {len(declared)} items instead of {len(held)}"
        for index, (one, other) in enumerate(zip(declared, held, strict=False)):
            yield from _differences(one, other, (*path, index))
    elif declared is not None and not _same(declared, held, path):
        yield path, f"changes from {shown(held)} to {shown(declared)}"


def _same(declared: Tree, held: Tree, path: Path) -> bool:
    if strict_equal(declared, held):
        return True
    if path[-1] == "expression" and isinstance(declared, str) and isinstance(held, str):
        return tokens(declared) == tokens(held) != ()
    both = (amount(declared), amount(held))
    texts = isinstance(declared, str) or isinstance(held, str)
    return texts and not (is_number(declared) and is_number(held)) and None not in both and both[0] == both[1]


CHECKERS: Final = (Checker(tuple(_FIXED), check),)
