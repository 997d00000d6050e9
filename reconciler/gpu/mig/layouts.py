"""Owns the rules about ConfigMaps with MIG layouts: form, and whether GPUs can be cut so. Must not look at labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.finding import Finding
from reconciler.gpu.mig.document import CONFIGS, Document, Entry, Filter, place
from reconciler.gpu.mig.fit import misfits
from reconciler.gpu.mig.maps import KEY, LayoutMap, fleet, has_strangers, layout_map, layout_maps
from reconciler.gpu.mig.name import parse_name
from reconciler.gpu.mig_table import MigModel, MigProfile
from reconciler.gpu.operator_maps import CONFIG_MAP
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import shown, some
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree

RULES: Final[Mapping[str, str]] = {
    "MIG-01": "a slice is asked for by a name such as 1g.10gb, 1c.3g.40gb or 1g.10gb+me",
    "MIG-02": "the GPU models that an entry is for have the profiles that it asks for",
    "MIG-03": "no profile is asked for more often than a GPU of that model takes it",
    "MIG-04": "the slices of an entry can be placed on one GPU without overlap",
    "MIG-05": "the media extensions of a GPU go to one instance",
    "MIG-06": "the document is one that mig-parted reads: version v1, layouts of complete entries, no unknown field",
    "MIG-07": "a device-filter is a PCI id, of a GPU model that has MIG",
    "MIG-08": "of the entries of one layout, one at most is for a GPU",
    "MIG-11": "a ConfigMap that a ClusterPolicy names for MIG layouts has the key config.yaml",
    "MIG-13": "slices are whole GPU instances: parts of them are not offered to Pods",
}
_PATH: Final = ("data", KEY)
# Entries of one layout that are compared with each other; nobody writes so many.
_COMPARED: Final = 64
_SHOWN: Final = 5


def _check(ref: ObjectRef, _: Tree, world: World) -> Iterator[Problem]:
    held = world.once(layout_maps).get(ref)
    if held is None:
        return
    if not held.present:
        yield from _keyless(held, world)
    elif held.error:
        message = f"{KEY} cannot be parsed: {held.error}"
        yield Problem("MIG-06", "error", ref, _PATH, message, "make it a YAML document with version and mig-configs")
    else:
        yield from _unread(held, world)
    for finding in _judged(held.document, world):
        yield finding.within(ref, _PATH)


CHECKERS: Final = (Checker((CONFIG_MAP,), _check),)


def _unread(held: LayoutMap, world: World) -> Iterator[Problem]:
    """The live document where nobody can read it: drift in it is told as that of a text."""
    live = world.live_twin(held.ref)
    there = None if live is None else layout_map(world, held.ref, live, named=held.named)
    if there is not None and there.error:
        message = f"{KEY} in the cluster cannot be parsed, so it is compared as text: {there.error}"
        yield Problem("MIG-06", "warning", held.ref, _PATH, message, "put back what Git has")


def _keyless(held: LayoutMap, world: World) -> Iterator[Problem]:
    """Which of several ConfigMaps of one name the ClusterPolicy means may be unknown: one with the key is enough."""
    if not any(one.named and one.present and one.ref.name == held.ref.name for one in world.once(layout_maps).values()):
        message = f"a ClusterPolicy takes MIG layouts from it, but it has no key {KEY}: no layout can be applied"
        yield Problem("MIG-11", "error", held.ref, ("data",), message, f"put the layouts under the key {KEY}")


def _judged(document: Document, world: World) -> Iterator[Finding]:
    yield from document.findings
    for layout, entries in document.layouts.items():
        for entry in entries:
            for finding in (*_strangers(entry, world), *_unfit(entry, world), *_parts(entry)):
                at = (CONFIGS, layout, entry.index)
                yield finding.below(at, place(layout, entry.index))
        yield from _twice(layout, entries[:_COMPARED])
    yield from _foreign(document, world)


def _strangers(entry: Entry, world: World) -> Iterator[Finding]:
    for one in entry.filters:
        if not world.mig.by_pci_id(one.number):
            message = f"no GPU model with MIG that we know has the PCI id 0x{one.number:08X}: its slices are not judged"
            yield Finding("MIG-07", "warning", ("device-filter",), message, "check the id: device, then vendor 10DE")


def _unfit(entry: Entry, world: World) -> Iterator[Finding]:
    """What the models that the entry is for cannot do; each cause once."""
    if not entry.slices or entry.silent:
        return
    if entry.filters:
        models = [model for one in entry.filters for model in world.mig.by_pci_id(one.number)]
        found = [finding for model in dict.fromkeys(models) for finding in misfits(model, entry.slices)]
    else:
        found = list(_unfit_anywhere(entry, world))
    causes = {(finding.rule, finding.at): finding for finding in reversed(found)}
    for finding in reversed(causes.values()):
        yield replace(finding, at=("mig-devices", *finding.at))


def _unfit_anywhere(entry: Entry, world: World) -> Iterator[Finding]:
    """An entry without filter is for whatever GPUs a node has: only what fits none of them is wrong for sure."""
    able = _able(entry, world.once(fleet)) or _able(entry, world.mig.models)
    # Of those that come equally near, the one that takes most: what it refuses, nobody has.
    roomy = sorted(able, key=lambda model: -_room(entry, model))
    tried = [misfits(model, entry.slices) for model in roomy]
    if not able:
        names = " and ".join(shown(name) for name in entry.slices)
        message = f"no GPU model that we know has {names}: whether it fits is not judged"
        yield Finding("MIG-02", "warning", (), message, "check the names, or add a device-filter for the model meant")
    elif all(tried):
        least = min(tried, key=lambda found: sum(one.severity == "error" for one in found))
        yield from (replace(one, severity="warning") for one in least) if world.once(has_strangers) else least


def _foreign(document: Document, world: World) -> Iterator[Finding]:
    """Layouts for GPUs that nobody has, in one line: a shipped list of layouts has dozens of them."""
    models = world.once(fleet)
    whole = [(layout, [one for one in entries if not one.filters]) for layout, entries in document.layouts.items()]
    foreign = [layout for layout, entries in whole if any(models and not _able(one, models) for one in entries)]
    if foreign:
        held = ", ".join(model.name for model in models)
        message = f"no GPU of the fleet ({held}) has the profiles of {some(foreign, _SHOWN)}"
        yield Finding("MIG-02", "warning", (CONFIGS,), message, "select these layouts on no node, or remove them")


def _able(entry: Entry, models: Sequence[MigModel]) -> list[MigModel]:
    return [model for model in models if all(_profiles(entry, model))]


def _profiles(entry: Entry, model: MigModel) -> Iterator[MigProfile | None]:
    """What a model has for each name that is asked for: one that it lacks is mostly among the first."""
    names = (name for text in entry.slices if (name := parse_name(text)) is not None)
    return (model.profile(str(name.instance)) for name in names)


def _room(entry: Entry, model: MigModel) -> int:
    """How many instances of the profiles asked for a GPU takes at most, each kind by itself."""
    return sum(profile.max_count for profile in _profiles(entry, model) if profile is not None)


def _parts(entry: Entry) -> Iterator[Finding]:
    for text in entry.slices:
        if (name := parse_name(text)) is not None and not name.whole:
            message = f"{text} is a part of a GPU instance {name.instance}: no resource is offered to Pods for it"
            yield Finding("MIG-13", "warning", ("mig-devices", text), message, f"ask for {name.instance}")


def _twice(layout: str, entries: Sequence[Entry]) -> Iterator[Finding]:
    for number, entry in enumerate(entries):
        earlier = next((one for one in entries[:number] if _meet(one, entry)), None)
        if earlier is not None:
            at = (CONFIGS, layout, entry.index)
            message = f"it is for GPUs that entry {earlier.index} is for as well: the later one wins"
            overlap = Finding("MIG-08", "warning", (), message, "let their devices or filters differ")
            yield overlap.below(at, place(layout, entry.index))


def _meet(one: Entry, other: Entry) -> bool:
    if one.silent or other.silent:
        return False
    if one.devices is not None and other.devices is not None and not one.devices & other.devices:
        return False
    return not (one.filters and other.filters) or _overlap(one.filters, other.filters)


def _overlap(*sides: Sequence[Filter]) -> bool:
    """Whether one GPU can match a filter of both sides; not each with each: a short document may hold thousands."""
    numbers, others = ({one.number for one in side} for side in sides)
    whole, others_whole = ({one.number for one in side if one.board is None} for side in sides)
    boards, others_boards = ({(one.number, one.board) for one in side} for side in sides)
    return bool(whole & others or others_whole & numbers or boards & others_boards)
