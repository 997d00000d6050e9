"""Owns AMD-01: partition profiles that AMD's device config manager can apply. Must not judge other configuration.

Facts: ROCm/device-config-manager: a profile that it refuses leaves the GPUs of the node as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import amount, length, mapping, mappings, node_labels, shown, text
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, child

RULES: Final = {"AMD-01": "A partition profile of AMD GPUs takes each GPU of a node once, in modes that go together"}

_PROFILES: Final = "gpu-config-profiles"
_LABEL: Final = "dcm.amd.com/gpu-config-profile"
_MODE: Final = "amd.com/compute-memory-partition"
_PARTS_MOST: Final = 8  # CPX: as many devices as the GPU has dies


def check(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """Profiles in the JSON of a ConfigMap."""
    for key, document in mapping(tree, "data").items():
        if not isinstance(document, str) or _PROFILES not in document:
            continue
        try:
            parsed = world.parse(document)
        except ValueError:
            continue  # said where embedded documents are read
        for name, profile in mapping(parsed, _PROFILES).items():
            for path, message, fix in _judged(name, profile, world):
                embedded: Path = (_PROFILES, name, *path)
                yield Problem("AMD-01", "error", ref, ("data", key), message, fix, embedded)


def _judged(name: str, profile: Tree, world: World) -> Iterator[tuple[Path, str, str]]:
    memory = {text(part, "memoryPartition") for _, part in mappings(profile, "profiles")} - {""}
    if len(memory) > 1:
        message = f"profile {shown(name)} mixes the memory modes {' and '.join(map(shown, sorted(memory)))}"
        yield ("profiles",), message, "use one memory mode for all GPUs of a node"
    for index, part in mappings(profile, "profiles"):
        compute = text(part, "computePartition")
        if text(part, "memoryPartition") == "NPS4" and compute not in {"CPX", ""}:
            path: Path = ("profiles", index, "memoryPartition")
            message = f"profile {shown(name)} wants NPS4 with {shown(compute)}: NPS4 goes with CPX only"
            yield path, message, "use CPX, or another memory mode"
    yield from _counted(name, profile, world)


def _counted(name: str, profile: Tree, world: World) -> Iterator[tuple[Path, str, str]]:
    total = _gpus(profile)
    if total is None:
        return
    for node, labels, live in node_labels(world):
        if labels.get(_LABEL) == name and not _fits(total, labels, live):
            held = f"node {shown(node)} has {shown(_devices(live))} devices"
            message = f"profile {shown(name)} takes or skips {shown(total)} GPUs, but {held}"
            fix = "make numGPUsAssigned and the skipped GPUs add up to the GPUs of the node"
            yield ("profiles",), message, fix
            break


def _gpus(profile: Tree) -> int | None:
    """How many GPUs a profile speaks of; None where it does not say."""
    parts = [part.get("numGPUsAssigned") for _, part in mappings(profile, "profiles")]
    if not parts or len(parts) != length(profile, "profiles"):
        return None
    whole = [part for part in parts if isinstance(part, int) and not isinstance(part, bool) and part > 0]
    return sum(whole) + length(child(profile, "skippedGPUs"), "ids") if len(whole) == len(parts) else None


def _devices(node: Tree) -> int:
    """The devices that AMD's plugin advertises on a node: GPUs, or parts of them."""
    held = mapping(node, "status", "capacity").items()
    amounts = (amount(value) for name, value in held if name.startswith("amd.com/"))
    return int(sum(one for one in amounts if one is not None))


def _fits(total: int, labels: dict[str, Tree], node: Tree) -> bool:
    """False where the node cannot have so many GPUs. An unpartitioned one has as many as devices, else up to 8 each."""
    held = _devices(node)
    if not held:
        return True
    whole = str(labels.get(_MODE, "")).lower().startswith("spx")
    return held == total if whole else total <= held <= total * _PARTS_MOST


CHECKERS: Final = (Checker((("", "ConfigMap"),), check),)
