"""Owns the rules about who selects MIG layouts: labels of nodes, a ClusterPolicy's default. Must not judge them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.mig.document import CONFIGS, Entry
from reconciler.gpu.mig.maps import KEY, SELECTS, LayoutMap, in_use, layout_map, layout_maps
from reconciler.gpu.mig.name import parse_name, resource_of
from reconciler.gpu.operator_maps import CLUSTER_POLICY, CONFIG_MAP, NODE, Named
from reconciler.gpu.pods import holders
from reconciler.gpu.problem import Problem, Severity
from reconciler.gpu.tolerant import counted, shown, some, text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final[Mapping[str, str]] = {
    "MIG-09": "a layout that a node's label or a ClusterPolicy's default names is in the ConfigMap",
    "MIG-10": "under the strategy single, a layout cuts all GPUs of a node alike",
    "MIG-12": "slices go away only where no Pod holds them, or where maintenance is announced",
}
MAINTENANCE: Final = "setscrew.dev/gpu-maintenance"
_CHOICES: Final = 10
_SLICES: Final = 5
_LABEL: Final = ("metadata", "labels", SELECTS)
_PATH: Final = ("data", KEY)
_ANNOUNCE: Final = f"drain the node first, or announce it by the annotation {MAINTENANCE}"


def _check_node(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    if layout := text(tree, *_LABEL):
        yield from _unknown(ref, layout, world)
        yield from _relabelled(ref, tree, layout, world)


def _unknown(ref: ObjectRef, layout: str, world: World) -> Iterator[Problem]:
    """Which ConfigMap it is, only a ClusterPolicy says; where there is none, it is one of those that look so."""
    named = world.once(in_use)
    alike = [one for one in world.once(layout_maps).values() if one.document.layouts]
    maps = named or ([] if _policies(world) else alike)
    if maps and not any(layout in one.document.layouts for one in maps):
        message = f"the label {SELECTS} selects layout {shown(layout)}, which {_named(maps)} does not have"
        fix = f"select one of {_choices(maps)}"
        yield Problem("MIG-09", "error" if named else "warning", ref, _LABEL, message, fix)


def _named(maps: Sequence[LayoutMap]) -> str:
    return " or ".join(str(one.ref) for one in maps[:3])


def _choices(maps: Sequence[LayoutMap]) -> str:
    names = sorted({name for one in maps for name in one.document.layouts})
    return some(names, _CHOICES)


def _relabelled(ref: ObjectRef, tree: Tree, layout: str, world: World) -> Iterator[Problem]:
    """A new label acts at once: what the old layout had and the new one has not is taken from its Pods."""
    live = world.live_twin(ref)
    before = text(live, *_LABEL)
    if live is None or before == layout or _announced(tree) or _announced(live):
        return
    kept = _resources_of(layout, world)
    if kept is None:
        return
    held = {name: pods for name, pods in holders(world, ref.name).items() if _is_slice(name, world)}
    lost = {name: pods for name, pods in held.items() if name not in kept}
    if lost:
        message = f"layout {shown(layout)} in place of {shown(before) or 'none'} takes away {_said(lost)}"
        yield Problem("MIG-12", "warning", ref, _LABEL, message, _ANNOUNCE)


def _check_map(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    held = world.once(layout_maps).get(ref)
    if held is None or not held.named or held.error or not held.present:
        return
    live = world.live_twin(ref)
    before = layout_map(world, ref, live, named=True) if live is not None else None
    for layout, nodes in _selected(world).items():
        if layout in held.document.layouts:
            yield from _changed(held, before, layout, nodes, world) if before and not _announced(tree) else ()
        elif len(world.once(in_use)) == 1:
            yield from _removed(held, before, layout, [node for node in nodes if not _declared(node, world)])
    if _strategy(world) == "single":
        yield from _mixed(held, world)


def _removed(held: LayoutMap, before: LayoutMap | None, layout: str, nodes: Sequence[str]) -> Iterator[Problem]:
    """Only what this revision takes away is its mistake; a label that was wrong before is reported.

    `nodes` are those whose labels Git does not declare: of the others it is said where the label stands.
    """
    if not nodes:
        return
    severity: Severity = "error" if before is not None and layout in before.document.layouts else "warning"
    message = f"layout {shown(layout)} is missing, but selected by {counted(nodes, 'node')}"
    fix = f"keep the layout, or select another one by the label {SELECTS} first"
    yield Problem("MIG-09", severity, held.ref, _PATH, message, fix, (CONFIGS,))


def _changed(held: LayoutMap, before: LayoutMap, layout: str, nodes: Sequence[str], world: World) -> Iterator[Problem]:
    """A changed layout acts when its nodes are labelled anew or restart."""
    lost = _resources(before.document.layouts.get(layout, ())) - _resources(held.document.layouts[layout])
    if _strategy(world) == "single" or not lost:
        return
    for node in nodes:
        found = {name: pods for name, pods in holders(world, node).items() if name in lost}
        if found:
            message = f"layout {shown(layout)} no longer has {_said(found)} on node {shown(node)}, at its next restart"
            yield Problem("MIG-12", "warning", held.ref, _PATH, message, _ANNOUNCE, (CONFIGS, layout))


def _mixed(held: LayoutMap, world: World) -> Iterator[Problem]:
    selected = _selected(world)
    for layout, entries in held.document.layouts.items():
        if selected and layout not in selected:
            continue
        if (unlike := _unlike(entries)) is not None:
            message = f"layout {shown(layout)}: {unlike}, but the strategy is single: no GPU of the node is offered"
            fix = "cut all GPUs of a node alike, or set mig.strategy: mixed"
            yield Problem("MIG-10", "warning", held.ref, _PATH, message, fix, (CONFIGS, layout))


def _unlike(entries: Sequence[Entry]) -> str | None:
    """What differs between GPUs of one model, or within one; models are not mixed in one node."""
    numbers = dict.fromkeys(one.number for entry in entries for one in entry.filters)
    for number in numbers or {0: None}:
        meant = [one for one in entries if not one.filters or any(each.number == number for each in one.filters)]
        profiles = sorted({text for one in meant for text in one.slices})
        if len(profiles) > 1:
            return f"it mixes {some(profiles, _SLICES)}"
        if len({one.enabled for one in meant}) > 1 and meant[-1].devices is not None:
            return "MIG is on for some GPUs and off for others"
    return None


def _check_policy(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    default = text(tree, "spec", "migManager", "config", "default")
    name = text(tree, "spec", "migManager", "config", "name")
    maps = [one for one in world.once(in_use) if one.ref.name == name]
    if default and maps and not any(default in one.document.layouts for one in maps):
        path = ("spec", "migManager", "config", "default")
        message = f"nodes without a label get layout {shown(default)}, which {_named(maps)} does not have"
        yield Problem("MIG-09", "warning", ref, path, message, f"add the layout {shown(default)} to the ConfigMap")


CHECKERS: Final = (
    Checker((NODE,), _check_node),
    Checker((CONFIG_MAP,), _check_map),
    Checker((CLUSTER_POLICY,), _check_policy),
)


def _selected(world: World) -> Mapping[str, Sequence[str]]:
    return world.once(_nodes_by_layout)


def _nodes_by_layout(world: World) -> dict[str, list[str]]:
    found = dict[str, list[str]]()
    for ref, tree in world.of(*NODE):
        # Git may declare a node without this label: then the live one holds.
        if layout := text(tree, *_LABEL) or text(world.live_twin(ref), *_LABEL):
            found.setdefault(layout, []).append(ref.name)
    return found


def _declared(node: str, world: World) -> bool:
    tree = world.desired.get(NODE, {}).get(ObjectRef(*NODE, "", node))
    return bool(text(tree, *_LABEL))


def _strategy(world: World) -> str:
    return next((text(tree, "spec", "mig", "strategy") for _, tree in _policies(world)), "")


def _policies(world: World) -> list[Named]:
    return list(world.of(*CLUSTER_POLICY))


def _resources_of(layout: str, world: World) -> set[str] | None:
    """What Pods can ask for under `layout`; None where no map tells."""
    found = [one.document.layouts[layout] for one in world.once(in_use) if layout in one.document.layouts]
    return _resources(tuple(chain.from_iterable(found))) if found else None


def _resources(entries: Sequence[Entry]) -> set[str]:
    names = [name for one in entries for each in one.slices if (name := parse_name(each)) is not None]
    return {resource_of(str(name)) for name in names if name.whole}


def _is_slice(resource: str, world: World) -> bool:
    """Under `single` slices go by the name of whole GPUs, so that any other layout takes them away."""
    return resource.startswith("nvidia.com/mig-") or (resource == "nvidia.com/gpu" and _strategy(world) == "single")


def _announced(tree: Tree) -> bool:
    return bool(text(tree, "metadata", "annotations", MAINTENANCE))


def _said(lost: Mapping[str, Sequence[str]]) -> str:
    """`nvidia.com/mig-1g.10gb, held by 2 Pods (team-a/train-0, team-a/train-1)`."""
    names = sorted(lost)
    pods = sorted({pod for held in lost.values() for pod in held})
    return f"{some(names, _SLICES)}, held by {counted(pods, 'Pod')}"
