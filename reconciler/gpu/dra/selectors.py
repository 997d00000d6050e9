"""Owns DRA-11 and DRA-12: selectors and what is beside them fit each other and the hardware. Must not evaluate CEL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.cel import accesses, compared, drivers, tokens
from reconciler.gpu.dra.classes import INSTALLED_BY_DRIVERS
from reconciler.gpu.dra.requests import (
    DEVICE_CLASS,
    HOLDERS,
    Opaque,
    Request,
    all_selectors,
    opaques,
    requests,
    selectors,
)
from reconciler.gpu.mig.maps import has_strangers
from reconciler.gpu.problem import Problem, Severity
from reconciler.gpu.tolerant import shown, some
from reconciler.gpu.world import World
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, child

RULES: Final = {
    "DRA-11": "Configuration is for the driver whose devices the selectors choose",
    "DRA-12": "A MIG profile that a selector asks for exists on some GPU model",
}
_NVIDIA: Final = "gpu.nvidia.com"


def check_drivers(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """Configuration for a driver none of whose devices can be chosen."""
    for opaque in opaques(ref, tree):
        tested = _tested(ref, tree, opaque, world)
        if opaque.driver and tested and opaque.driver not in tested:
            message = (
                f"configuration is for driver {shown(opaque.driver)}, but the selectors choose {some(sorted(tested))}"
            )
            fix = "name the driver that the selectors test, or correct the selectors"
            yield Problem("DRA-11", "warning", ref, (*opaque.path, "driver"), message, fix)


def _tested(ref: ObjectRef, tree: Tree, opaque: Opaque, world: World) -> frozenset[str]:
    """The drivers whose devices the configuration can meet; none where one request leaves it open."""
    if (ref.group, ref.kind) == DEVICE_CLASS:
        return _of_class(tree)
    meant = [request for request in requests(ref, tree) if _meant(opaque, request)]
    tested = [_of_request(request, world) for request in meant]
    return frozenset().union(*tested) if all(tested) else frozenset()


def _meant(opaque: Opaque, request: Request) -> bool:
    return not opaque.requests or bool({request.name, request.name.partition("/")[0]} & {*opaque.requests})


def _of_request(request: Request, world: World) -> frozenset[str]:
    own = _drivers(request.body)
    declared = world.find(*DEVICE_CLASS, request.device_class)
    if declared is not None:
        return own | _of_class(declared)
    known = INSTALLED_BY_DRIVERS.get(request.device_class)
    return own | frozenset({known} if known else ())


def _of_class(tree: Tree) -> frozenset[str]:
    return _drivers(child(tree, "spec"))


def _drivers(holder: Tree) -> frozenset[str]:
    return frozenset(driver for selector in selectors(holder, ()) for driver in drivers(selector.expression))


def profiles(world: World) -> frozenset[str]:
    """All names of MIG profiles of all models."""
    every = (profile for model in world.mig.models for profile in model.profiles)
    return frozenset(name for profile in every for name in (profile.name, *profile.aliases))


def check_profiles(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """Literals that a profile is held equal to and that no model has; a GPU that the table does not know may."""
    known = world.once(profiles)
    for selector in all_selectors(ref, tree) if known else ():
        found = tokens(selector.expression) if "profile" in selector.expression else ()
        for access in accesses(found):
            if (access.what, access.domain, access.name) != ("attributes", _NVIDIA, "profile"):
                continue
            literal = compared(found, access.start, access.end)
            # "1c.3g.20gb" is one compute slice of 3g.20gb.
            if literal is not None and literal not in known and literal.partition("c.")[2] not in known:
                message = f"no GPU model has a MIG profile {shown(literal)}: the selector chooses nothing"
                fix = "use a profile of your GPUs, such as 1g.10gb of an 80 GB card"
                severity: Severity = "warning" if world.once(has_strangers) else "error"
                yield Problem("DRA-12", severity, ref, selector.path, message, fix)


CHECKERS: Final = (Checker(HOLDERS, check_drivers), Checker(HOLDERS, check_profiles))
