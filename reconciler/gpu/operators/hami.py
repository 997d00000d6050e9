"""Owns the rules of HAMi: shares of a GPU are shares, and memory is not promised twice without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem
from reconciler.gpu.templates import WORKLOADS
from reconciler.gpu.tolerant import amount, containers, mapping, shown
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, is_number

RULES: Final = {
    "HAMI-01": "Cores and memory of a GPU that are asked for in percent are between 0 and 100",
    "HAMI-02": "HAMi does not promise more GPU memory than there is (deviceMemoryScaling above 1)",
}
_PERCENT: Final = ("nvidia.com/gpucores", "nvidia.com/gpumem-percentage")
_SCALING: Final = "devicememoryscaling"  # HAMi reads names of fields in any case
_DEEPEST: Final = 4


def check_shares(ref: ObjectRef, tree: Tree, _: World) -> Iterator[Problem]:
    """Percentages in the containers of pods and templates."""
    for at, container in containers(tree):
        for field in ("limits", "requests"):
            asked = mapping(container, "resources", field)
            for name in _PERCENT:
                share = amount(asked.get(name))
                if share is not None and not 0 <= share <= 100:
                    message = f"{name} is {shown(asked[name])}, but it is a percentage of one GPU"
                    path: Path = (*at, "resources", field, name)
                    yield Problem("HAMI-01", "warning", ref, path, message, "ask for 0 to 100")


def check_scaling(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """Scaling factors in the documents of a ConfigMap."""
    for key, document in mapping(tree, "data").items():
        if not isinstance(document, str) or _SCALING not in document.lower():
            continue
        try:
            parsed = world.parse(document)
        except ValueError:
            continue  # said where embedded documents are read
        for path, factor in _factors(parsed, ()):
            message = f"deviceMemoryScaling is {shown(factor)}: pods are promised memory that the GPUs do not have"
            fix = "use 1, unless all who share these GPUs know that they may run out of memory"
            yield Problem("HAMI-02", "warning", ref, ("data", key), message, fix, path)


def _factors(tree: Tree, path: Path) -> Iterator[tuple[Path, Tree]]:
    if len(path) > _DEEPEST:
        return
    if isinstance(tree, dict):
        for name, value in tree.items():
            if not isinstance(name, str):
                continue
            if name.lower() == _SCALING and is_number(value) and value > 1:
                yield (*path, name), value
            yield from _factors(value, (*path, name))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _factors(value, (*path, index))


CHECKERS: Final = (Checker(WORKLOADS, check_shares), Checker((("", "ConfigMap"),), check_scaling))
