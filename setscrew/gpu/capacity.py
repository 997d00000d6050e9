"""Owns what there is of a class that hardware offers: devices, slices, replicas, nodes. Must not know queues."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Final

from reconciler.gpu.dra.cel import drivers
from reconciler.gpu.dra.names import extended_resource
from reconciler.gpu.dra.requests import SLICE, requests, selectors
from reconciler.gpu.mig.document import Entry
from reconciler.gpu.mig.maps import layout_map
from reconciler.gpu.mig.name import resource_of
from reconciler.gpu.operator_maps import NODE
from reconciler.gpu.queues import amounts
from reconciler.gpu.resources import offered
from reconciler.gpu.sharing.config import Config
from reconciler.gpu.sharing.maps import config_map
from reconciler.gpu.tolerant import length, mapping, shown, some, text
from reconciler.gpu.users.labels import SELECTING
from reconciler.gpu.world import World
from reconciler.model.tree import child, dig
from setscrew.gpu.model import Capacity, Definition

_EACH: Final = "GPU"
_GPUS: Final = 8


def counted(number: int, what: str) -> str:
    """`1 node`, `3 nodes`."""
    return f"{number} {what}{'s' * (number != 1)}"


def of_device_class(one: Definition, _name: str, world: World) -> Iterator[Capacity]:
    """Devices of the drivers that the selectors test: what a selector says beyond that is not evaluated."""
    found = world.once(_devices)
    tested = {driver for each in selectors(child(one.tree, "spec"), ()) for driver in drivers(each.expression)}
    for driver in sorted(tested & found.keys()):
        total, nodes = found[driver]
        yield Capacity("devices", str(total), driver, counted(len(nodes), "node"))
    if resource := extended_resource(one.tree):
        yield Capacity("setting", resource, "asked for as")


def _devices(world: World) -> dict[str, tuple[int, set[str]]]:
    """Driver → its devices in live slices, and the nodes (or pools) that have them."""
    found: dict[str, tuple[int, set[str]]] = {}
    for ref, piece in world.of(*SLICE):
        driver = text(piece, "spec", "driver")
        place = text(piece, "spec", "nodeName") or text(piece, "spec", "pool", "name") or ref.name
        total, nodes = found.get(driver, (0, set[str]()))
        found[driver] = (total + length(piece, "spec", "devices"), nodes | {place})
    return found


def of_claim(one: Definition, _name: str, _world: World) -> Iterator[Capacity]:
    """What a claim, or each claim of a template, asks for; of alternatives all."""
    asked: Counter[str] = Counter()
    for request in requests(one.ref, one.tree):
        count = request.body.get("count", 1)
        asked[request.device_class] += count if type(count) is int else 1
    for name, count in asked.items():
        yield Capacity("asks", shown(count), name)


def of_resource(one: Definition | None, name: str, world: World) -> Iterator[Capacity]:
    """What nodes offer of an extended resource."""
    if one is not None and one.ref.kind == "DeviceClass":
        yield from (each for each in of_device_class(one, name, world) if each.what == "devices")
    elif one is not None and one.ref.kind == "ConfigMap":
        yield from dict.fromkeys(_made(one, name, world))
    yield from _offered(world.once(_by_resource), [name])


def _made(one: Definition, name: str, world: World) -> Iterator[Capacity]:
    """How a ConfigMap of layouts or of the device plugin makes a resource."""
    layouts = layout_map(world, one.ref, one.tree, named=True)
    entries = chain.from_iterable(layouts.document.layouts.values() if layouts else ())
    yield from (each for each in _cut(entries, world) if resource_of(each.name) == name)
    configs = config_map(world, one.ref, one.tree, named=True)
    found = chain.from_iterable(map(_replicas, configs.configs.values() if configs else ()))
    yield from (each for each in found if each.name == name)


def of_node(one: Definition, _name: str, _world: World) -> Iterator[Capacity]:
    """The labels by which it chooses its classes, and what it offers."""
    labels = mapping(one.tree, "metadata", "labels")
    for name in SELECTING:
        if isinstance(labels.get(name), str):
            yield Capacity("setting", labels[name], name)
    yield from on_nodes([one.tree])


def on_nodes(nodes: Iterable[object]) -> Iterator[Capacity]:
    """What these nodes, live trees, offer of all extended resources."""
    yield from _offered(_summed(nodes), None)


def _by_resource(world: World) -> dict[str, tuple[Decimal, int]]:
    return _summed(tree for _, tree in world.of(*NODE))


def _summed(nodes: Iterable[object]) -> dict[str, tuple[Decimal, int]]:
    """Extended resource → how much of it, on how many nodes."""
    found: defaultdict[str, tuple[Decimal, int]] = defaultdict(lambda: (Decimal(0), 0))
    for node in nodes:
        for name, value in offered(node).items():
            total, count = found[name]
            found[name] = (total + value, count + 1)
    return dict(found)


def _offered(found: Mapping[str, tuple[Decimal, int]], names: Iterable[str] | None) -> Iterator[Capacity]:
    for name in sorted(found) if names is None else names:
        if name in found:
            total, nodes = found[name]
            yield Capacity("offered", amounts.shown(total, name), name, counted(nodes, "node"))


def of_layout(one: Definition, name: str, world: World) -> Iterator[Capacity]:
    """What each GPU of a model is cut into; a layout without a filter is for every model."""
    held = layout_map(world, one.ref, one.tree, named=True)
    yield from _cut(held.document.layouts.get(name, ()) if held else (), world)


def _cut(entries: Iterable[Entry], world: World) -> Iterator[Capacity]:
    for entry in entries:
        where = _gpus(entry, world)
        for profile, count in entry.slices.items():
            yield Capacity("slices", shown(count), profile, where)
        if not entry.slices:
            yield Capacity("setting", "on, no slices" if entry.enabled else "off", "MIG", f"per {where}")


def _gpus(entry: Entry, world: World) -> str:
    """`A100-40GB, GPUs 0 and 1`."""
    models = dict.fromkeys(model.name for each in entry.filters for model in world.mig.by_pci_id(each.number))
    strangers = [f"0x{each.number:08X}" for each in entry.filters if not world.mig.by_pci_id(each.number)]
    which = " or ".join([*models, *strangers]) or _EACH
    if entry.devices is None:
        return which
    return f"{which}, of GPUs {some(map(shown, sorted(entry.devices)), _GPUS)}"


def of_sharing(one: Definition, name: str, world: World) -> Iterator[Capacity]:
    """How often the device plugin offers each GPU, and by which name."""
    held = config_map(world, one.ref, one.tree, named=True)
    config = held.configs.get(name) if held else None
    if config is not None:
        yield from _replicas(config)
        if config.strategy:
            yield Capacity("setting", config.strategy, "MIG strategy")


def _replicas(config: Config) -> Iterator[Capacity]:
    for share in config.shares:
        if share.way == config.way:
            yield Capacity("replicas", shown(share.replicas or "?"), share.offered, share.way)


def of_settings(one: Definition, _name: str, _world: World) -> Iterator[Capacity]:
    """What an object says of all nodes, of the Pods that name it, or of the domain that it opens."""
    for words, path in _SETTINGS:
        value = dig(one.tree, *path)
        if isinstance(value, str | int) and value is not False and value != "":
            yield Capacity("setting", "" if value is True else shown(value), words)


_SETTINGS: Final = (
    ("MIG strategy", ("spec", "mig", "strategy")),
    ("driver", ("spec", "driver", "version")),
    ("driver", ("spec", "version")),
    ("handler", ("handler",)),
    ("priority", ("value",)),
    ("for all Pods that name none", ("globalDefault",)),
    ("nodes", ("spec", "numNodes")),
)
