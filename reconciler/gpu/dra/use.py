"""Owns DRA-07 and DRA-08: a device class that is asked for exists, and goes only when nobody asks for it any more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.classes import INSTALLED_BY_DRIVERS
from reconciler.gpu.dra.names import advertised, extended_resource, holders
from reconciler.gpu.dra.requests import CLAIMS, DEVICE_CLASS, requests
from reconciler.gpu.problem import Problem, Severity
from reconciler.gpu.resources import IMPLICIT_RESOURCE
from reconciler.gpu.templates import WORKLOADS
from reconciler.gpu.tolerant import containers, leaving, mapping, mappings, shown, some, text
from reconciler.gpu.world import World
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import Tree

RULES: Final = {
    "DRA-07": "A device class is deleted or renamed when nobody asks for it any more",
    "DRA-08": "A device class that is asked for is in Git or in the cluster",
}

_Asked = tuple[str, Path]  # the name of a class or extended resource, and where it stands


def check(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """References of a declared object to classes that are nowhere."""
    for name, path in _asked(ref, tree):
        severity = _missing(name, world)
        if severity is not None:
            where = "neither Git nor the cluster" if world.clustered else "none of the files"
            message = f"device class {shown(name)} is in {where}: what asks for it waits for ever"
            if severity == "warning":
                message = f"device class {shown(name)} of {INSTALLED_BY_DRIVERS[name]} is not in the cluster yet"
            fix = "correct the name, or declare the class; a class that comes from elsewhere can be given as context"
            if severity == "warning":
                fix = "install the driver before what asks for its class"
            yield Problem("DRA-08", severity, ref, path, message, fix, absent=True)


def _missing(name: str, world: World) -> Severity | None:
    found = world.find(*DEVICE_CLASS, name) is not None
    if found or not name or (name in INSTALLED_BY_DRIVERS and not world.clustered):
        return None
    # The driver may be about to be installed by the very revision that is judged.
    return "warning" if name in INSTALLED_BY_DRIVERS else "error"


def _asked(ref: ObjectRef, tree: Tree) -> Iterator[_Asked]:
    """The classes that an object names, as requests of claims or as the implicit resource of a class."""
    for request in requests(ref, tree):
        yield request.device_class, (*request.path, "deviceClassName")
    if (ref.group, ref.kind) not in CLAIMS:
        for name, path in _resources(tree):
            if name.startswith(IMPLICIT_RESOURCE):
                yield name.removeprefix(IMPLICIT_RESOURCE), path


def _resources(tree: Tree) -> Iterator[_Asked]:
    """The extended resources that containers ask for, each once a container."""
    for at, container in containers(tree):
        seen: set[str] = set()
        for field in ("limits", "requests"):
            for name in mapping(container, "resources", field):
                if "/" in name and name not in seen:
                    seen.add(name)
                    yield name, (*at, "resources", field, name)


def users(world: World) -> Mapping[str, Sequence[ObjectRef]]:
    """Name of a class, or extended resource → who asks for it, now or at its next start.

    What was made from a template or by a workload is no user of its own: it goes and comes with that.
    """
    found: defaultdict[str, list[ObjectRef]] = defaultdict(list)
    for kind in (*CLAIMS, *WORKLOADS):
        for ref, tree in world.of(*kind):
            if leaving(ref, tree, world) or _made(tree) or _over(tree):
                continue
            asked = {request.device_class for request in requests(ref, tree)} if kind in CLAIMS else set()
            asked |= {name for name, _ in _resources(tree)} if kind not in CLAIMS else set()
            for name in asked:
                found[name].append(ref)
    return found


def _made(tree: Tree) -> bool:
    """Whether a Pod or a workload that is looked at itself made the object."""
    owners = (owner for _, owner in mappings(tree, "metadata", "ownerReferences") if owner.get("controller") is True)
    return any((split_api_version(text(one, "apiVersion"))[0], text(one, "kind")) in WORKLOADS for one in owners)


def _over(tree: Tree) -> bool:
    ended = text(tree, "status", "phase") in {"Succeeded", "Failed"}
    return ended or bool(text(tree, "status", "completionTime"))


def check_retired(ref: ObjectRef, tree: Tree, world: World) -> Iterator[Problem]:
    """A class that goes, with those who still ask for it."""
    by_name = world.once(users)
    resource = extended_resource(tree)
    served = any(one != ref for one in world.once(holders).get(resource, ())) or resource in world.once(advertised)
    found = [*by_name.get(ref.name, ()), *by_name.get(IMPLICIT_RESOURCE + ref.name, ())]
    found += [] if served or not resource else by_name.get(resource, ())
    if found and ref not in world.desired.get(DEVICE_CLASS, {}):
        listed = sorted({str(one) for one in found})
        message = f"device class {shown(ref.name)} goes while {len(listed)} ask for it: {some(listed)}"
        fix = "keep the class until they ask for another one, or change them in the same revision"
        yield Problem("DRA-07", "error", ref, (), message, fix)


CHECKERS: Final = (Checker((*CLAIMS, *WORKLOADS), check), Checker((DEVICE_CLASS,), check_retired, retired=True))
