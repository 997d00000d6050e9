"""Owns DRA-02: selectors read what devices publish. A field that a device lacks ends the allocation on its whole node.

Must not evaluate CEL beyond `field == "text"` joined by `&&`; whatever else an expression holds may be false.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.embedded.cel import Tokens
from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.cel import accesses, compared, drivers, tokens
from reconciler.gpu.dra.requests import DEVICE_CLASS, HOLDERS, SLICE, Selector, requests, selectors
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import mapping, mappings, shown, some, text
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, child

RULES: Final = {"DRA-02": "A selector reads only attributes and capacities that the devices in question publish"}

_AND: Final = ("sign", "&&")
_EITHER: Final = ("sign", "||")  # what fails on one side may hold on the other
_BUT: Final = ("sign", "?")
_OPEN: Final = frozenset("([{")
_CLOSE: Final = frozenset(")]}")
_SORTS: Final = 32
_Field = tuple[str, str, str]  # "attributes" or "capacity", domain, name


@dataclass(frozen=True, slots=True)
class Device:
    """Devices of one slice that publish the same names: their driver, the fields, the texts among them."""

    driver: str
    fields: frozenset[_Field]
    texts: frozenset[tuple[_Field, str]]


def published(world: World) -> Mapping[str, Sequence[Device]]:
    """Driver → its devices in the live slices, each sort once."""
    single = [
        _device(text(inventory, "spec", "driver"), mapping(device, "basic") or device)
        for inventory in world.live.get(SLICE, {}).values()
        for _, device in mappings(inventory, "spec", "devices")
    ]
    values: defaultdict[_Field, set[str]] = defaultdict(set)
    for field, value in (pair for device in single for pair in device.texts):
        values[field].add(value)
    # A field that each device fills in for itself, such as a serial number, makes no sorts.
    telling = {field for field, among in values.items() if len(among) <= _SORTS}
    found: defaultdict[str, dict[Device, None]] = defaultdict(dict)
    for device in single:
        texts = frozenset(pair for pair in device.texts if pair[0] in telling)
        found[device.driver][Device(device.driver, device.fields, texts)] = None
    return {driver: tuple(devices) for driver, devices in found.items()}


def _device(driver: str, device: Tree) -> Device:
    fields, texts = set(), set()
    for what in ("attributes", "capacity"):
        for name, value in mapping(device, what).items():
            domain, slash, bare = name.rpartition("/")
            field = (what, domain, bare) if slash else (what, driver, name)
            fields.add(field)
            if text(value, "string"):
                texts.add((field, text(value, "string")))
    return Device(driver, frozenset(fields), frozenset(texts))


def check(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """Fields that some device in question lacks while nothing guards the reading of them."""
    devices = world.once(published)
    for selector, before in _chains(ref, tree, world) if devices else ():
        tested = drivers(selector.expression).union(*map(drivers, before))
        for driver in sorted(tested & devices.keys()):
            for field in _lacking(selector.expression, before, devices[driver]):
                yield _problem(ref, selector, driver, field, devices[driver])


def _problem(ref: ObjectRef, selector: Selector, driver: str, field: _Field, devices: Sequence[Device]) -> Problem:
    what, domain, name = field
    nobody = not any(field in device.fields for device in devices)
    whose = f"no device of {driver} publishes" if nobody else f"some devices of {driver} do not publish"
    message = f"{whose} {what}[{shown(domain)}].{shown(name)}: reading it ends allocation on their nodes"
    there = sorted({other for device in devices for kind, _, other in device.fields if kind == what})
    fix = f"correct the name (there is {some(there, 5)}), or ask with has() first"
    return Problem("DRA-02", "warning", ref, selector.path, message, fix)


def _chains(ref: ObjectRef, tree: Tree, world: World) -> Iterator[tuple[Selector, tuple[str, ...]]]:
    """Each selector with the expressions that are evaluated before it: those of the class first."""
    if (ref.group, ref.kind) == DEVICE_CLASS:
        yield from _chain(selectors(child(tree, "spec"), ("spec",)), ())
    for request in requests(ref, tree):
        declared = world.find(*DEVICE_CLASS, request.device_class)
        if declared is not None:
            first = tuple(one.expression for one in selectors(child(declared, "spec"), ()))
            yield from _chain(selectors(request.body, request.path), first)


def _chain(found: Iterable[Selector], before: tuple[str, ...]) -> Iterator[tuple[Selector, tuple[str, ...]]]:
    for selector in found:
        yield selector, before
        before = (*before, selector.expression)


def _lacking(expression: str, before: Sequence[str], devices: Sequence[Device]) -> Iterator[_Field]:
    """Fields, each once, that are read of a device that lacks them and that nothing else rules out."""
    found = tokens(expression)
    chosen = [device for device in devices if all(_holds_all(tokens(other), device) for other in before)]
    seen = set[_Field]()
    for access in accesses(found) if not _chooses(found) else ():
        field = (access.what, access.domain, access.name)
        others = [term for term in _terms(found) if not term[0] <= access.start < term[1]]
        own = next(found[begin:end] for begin, end in _terms(found) if begin <= access.start < end)
        if access.guarded or field in seen or _AND in own:
            continue
        if any(field not in one.fields and all(_holds(found, term, one) for term in others) for one in chosen):
            seen.add(field)
            yield field


def _chooses(found: Tokens) -> bool:
    """Whether `||` or `? :` stands anywhere; `.?` and `[?` are no choice."""
    return any(
        token == _EITHER or (token == _BUT and index > 0 and found[index - 1][1] not in {".", "["})
        for index, token in enumerate(found)
    )


def _holds_all(found: Tokens, device: Device) -> bool:
    return all(_holds(found, term, device) for term in _terms(found))


def _terms(found: Tokens) -> Iterator[tuple[int, int]]:
    """The parts that `&&` joins at the top, as spans of tokens."""
    depth, begin = 0, 0
    for index, token in enumerate(found):
        if token[0] == "sign":
            depth += (token[1] in _OPEN) - (token[1] in _CLOSE)
        if token == _AND and depth == 0:
            yield begin, index
            begin = index + 1
    yield begin, len(found)


def _holds(found: Tokens, term: tuple[int, int], device: Device) -> bool:
    """Whether a part is `field == "text"` (or the test of the driver) and true of the device; False where unclear."""
    part = found[term[0] : term[1]]
    if [word for _, word in part[:3]] == ["device", ".", "driver"] and len(part) == 5:
        return compared(part, 0, 3) == device.driver
    read = list(accesses(part))
    if len(read) != 1 or read[0].end - read[0].start + 2 != len(part):
        return False
    literal = compared(part, read[0].start, read[0].end)
    return literal is not None and ((read[0].what, read[0].domain, read[0].name), literal) in device.texts


CHECKERS: Final = (Checker(HOLDERS, check),)
