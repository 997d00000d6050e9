"""Owns what a claim asks for, in one shape for every version of resource.k8s.io. Must not judge it.

v1 and v1beta2 wrap what one request asks for in `exactly`, those before do not; `firstAvailable` is the same in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.gpu.tolerant import mapping, mappings, text
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, child, dig

GROUP: Final = "resource.k8s.io"
DEVICE_CLASS: Final = (GROUP, "DeviceClass")
CLAIM: Final = (GROUP, "ResourceClaim")
TEMPLATE: Final = (GROUP, "ResourceClaimTemplate")
SLICE: Final = (GROUP, "ResourceSlice")
CLAIMS: Final = (CLAIM, TEMPLATE)
HOLDERS: Final = (DEVICE_CLASS, CLAIM, TEMPLATE)
_DEVICES: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    CLAIM: ("spec", "devices"),
    TEMPLATE: ("spec", "spec", "devices"),
}
_UNWRAPPED: Final = frozenset({f"{GROUP}/v1alpha3", f"{GROUP}/v1beta1"})


@dataclass(frozen=True, slots=True)
class Request:
    """One way to meet a request: `body` holds deviceClassName, selectors, count …, at `path` of the object.

    `name` is that of the request, with "/" and that of the alternative for one of `firstAvailable`.
    """

    name: str
    path: Path
    body: dict[str, Tree]
    alternative: bool = False

    @property
    def device_class(self) -> str:
        """The class that is asked for; "" where none is named."""
        return text(self.body, "deviceClassName")


@dataclass(frozen=True, slots=True)
class Selector:
    """One CEL expression, at `path` of the object."""

    path: Path
    expression: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """What one driver is handed: `body` holds `driver` and `parameters`; it is meant for `requests`, or for all."""

    path: Path
    body: dict[str, Tree]
    requests: tuple[str, ...] = ()

    @property
    def driver(self) -> str:
        """The driver's name; "" where none is named."""
        return text(self.body, "driver")


def devices_path(ref: ObjectRef) -> Path:
    """Where an object of that kind holds requests and configuration: for a DeviceClass its spec."""
    return _DEVICES.get((ref.group, ref.kind), ("spec",))


def devices(ref: ObjectRef, tree: Tree) -> Tree:
    """What stands at `devices_path`; ABSENT where nothing does."""
    return dig(tree, *map(str, devices_path(ref)))


def wrapped(tree: Tree) -> bool:
    """Whether the object is of a version that wraps a request in `exactly`."""
    return text(tree, "apiVersion") not in _UNWRAPPED


def requests(ref: ObjectRef, tree: Tree) -> Iterator[Request]:
    """All requests of a claim or template, each alternative by itself; none of a DeviceClass."""
    base = devices_path(ref)
    for index, request in mappings(devices(ref, tree), "requests"):
        at: Path = (*base, "requests", index)
        name = text(request, "name")
        for place, one in mappings(request, "firstAvailable"):
            yield Request(f"{name}/{text(one, 'name')}", (*at, "firstAvailable", place), one, alternative=True)
        if not wrapped(tree):
            if "deviceClassName" in request:
                yield Request(name, at, request)
        elif isinstance(request.get("exactly"), dict):
            yield Request(name, (*at, "exactly"), mapping(request, "exactly"))


def selectors(holder: Tree, at: Path) -> Iterator[Selector]:
    """The CEL expressions in `holder.selectors`; `at` is where the holder stands: the spec of a class, or a request."""
    for index, one in mappings(holder, "selectors"):
        expression = dig(one, "cel", "expression")
        if isinstance(expression, str):
            yield Selector((*at, "selectors", index, "cel", "expression"), expression)


def all_selectors(ref: ObjectRef, tree: Tree) -> Iterator[Selector]:
    """The CEL expressions of a class, claim or template."""
    if (ref.group, ref.kind) == DEVICE_CLASS:
        yield from selectors(child(tree, "spec"), ("spec",))
    for request in requests(ref, tree):
        yield from selectors(request.body, request.path)


def opaques(ref: ObjectRef, tree: Tree) -> Iterator[Opaque]:
    """The configuration of drivers in a class, claim or template."""
    for index, config in mappings(devices(ref, tree), "config"):
        body = mapping(config, "opaque")
        named = config.get("requests")
        meant = tuple(name for name in named if isinstance(name, str)) if isinstance(named, list) else ()
        if body:
            yield Opaque((*devices_path(ref), "config", index, "opaque"), body, meant)
