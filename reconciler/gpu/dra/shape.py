"""Owns DRA-01: what the API server takes of a class, claim or template. Must not look at other objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from reconciler.gpu.checker import Checker
from reconciler.gpu.dra.requests import (
    DEVICE_CLASS,
    HOLDERS,
    Request,
    all_selectors,
    devices,
    devices_path,
    opaques,
    requests,
    wrapped,
)
from reconciler.gpu.problem import Problem
from reconciler.gpu.tolerant import length, mappings, shown, text, texts
from reconciler.gpu.world import World
from reconciler.limits import KIB, REVIEW_DEPTH
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, child, deeper_than

RULES: Final = {"DRA-01": "A device class or claim keeps the limits of the API server, and its parts name each other"}

# k8s.io/api resource/v1, types.go.
_LIST_ITEMS: Final = {"requests": 32, "constraints": 32, "config": 32}
_SELECTORS: Final = 32
_ALTERNATIVES: Final = 8
_TOLERATIONS: Final = 16
_CEL_BYTES: Final = 10 * KIB
_PARAMETER_BYTES: Final = 10 * KIB
_MODES: Final = ("ExactCount", "All")

_Finding = tuple[Path, str, str]


def check(ref: ObjectRef, tree: Tree, _: World) -> Iterator[Problem]:
    """Every limit that the object is over, and every name in it that leads nowhere."""
    finders = (_lists, _selectors, _parameters, _requests, _ways, _names)
    for finder in finders:
        for path, message, fix in finder(ref, tree):
            yield Problem("DRA-01", "error", ref, path, message, fix)


def _lists(ref: ObjectRef, tree: Tree) -> Iterator[_Finding]:
    for field, most in _LIST_ITEMS.items():
        count = length(devices(ref, tree), field)
        if count > most:
            yield (*devices_path(ref), field), *_too_many(count, field, most)
    for holder, path in _holders(ref, tree):
        for field, most in (("selectors", _SELECTORS), ("tolerations", _TOLERATIONS)):
            count = length(holder, field)
            if count > most:
                yield (*path, field), *_too_many(count, field, most)


def _too_many(count: int, field: str, most: int) -> tuple[str, str]:
    return f"{count} {field}; the API server takes {most}", f"keep at most {most} {field} here"


def _holders(ref: ObjectRef, tree: Tree) -> Iterator[tuple[Tree, Path]]:
    if (ref.group, ref.kind) == DEVICE_CLASS:
        yield child(tree, "spec"), ("spec",)
    yield from ((request.body, request.path) for request in requests(ref, tree))


def _selectors(ref: ObjectRef, tree: Tree) -> Iterator[_Finding]:
    for selector in all_selectors(ref, tree):
        size = len(selector.expression.encode(errors="replace"))
        if size > _CEL_BYTES:
            message = f"a CEL expression of {size} bytes; the API server takes {_CEL_BYTES}"
            yield selector.path, message, "shorten the expression, or split it at && into several selectors"


def _parameters(ref: ObjectRef, tree: Tree) -> Iterator[_Finding]:
    for opaque in opaques(ref, tree):
        if not opaque.driver:
            yield opaque.path, "configuration for no driver", "name the driver that the parameters are for"
        parameters = opaque.body.get("parameters", ABSENT)
        if not isinstance(parameters, dict):
            yield (*opaque.path, "parameters"), "no parameters for the driver", "give the parameters as a mapping"
        elif _size(parameters) > _PARAMETER_BYTES:
            message = f"parameters of {_size(parameters)} bytes as JSON; the API server takes {_PARAMETER_BYTES}"
            yield (*opaque.path, "parameters"), message, "shorten the parameters"


def _size(parameters: Tree) -> int:
    """Bytes of the shortest JSON of it; 0 where it has none."""
    if deeper_than(parameters, REVIEW_DEPTH):
        return 0
    try:
        return len(json.dumps(parameters, separators=(",", ":"), ensure_ascii=False).encode(errors="replace"))
    except (TypeError, ValueError):
        return 0


def _requests(ref: ObjectRef, tree: Tree) -> Iterator[_Finding]:
    seen: set[str] = set()
    plain = "exactly" if wrapped(tree) else "deviceClassName"
    for index, request in mappings(devices(ref, tree), "requests"):
        path: Path = (*devices_path(ref), "requests", index)
        name = text(request, "name")
        if not name:
            yield path, "a request without a name", "name the request"
        elif name in seen:
            yield (*path, "name"), f"a second request named {shown(name)}", "give each request a name of its own"
        seen.add(name)
        one, alternatives = request.get(plain) is not None, length(request, "firstAvailable") > 0
        if one == alternatives:
            said = "both" if one else "neither"
            yield path, f"{said} of {plain} and firstAvailable", f"give the request one of {plain} and firstAvailable"
        if length(request, "firstAvailable") > _ALTERNATIVES:
            count = length(request, "firstAvailable")
            yield (*path, "firstAvailable"), *_too_many(count, "alternatives", _ALTERNATIVES)


def _ways(ref: ObjectRef, tree: Tree) -> Iterator[_Finding]:
    for request in requests(ref, tree):
        if not request.device_class:
            message = f"request {shown(request.name)} names no device class"
            yield request.path, message, "name the class in deviceClassName"
        yield from _amount(request)


def _amount(request: Request) -> Iterator[_Finding]:
    mode = request.body.get("allocationMode", "ExactCount")
    count = request.body.get("count", ABSENT)
    if mode not in (*_MODES, "", None):
        message = f"allocationMode {shown(mode)}; the API server takes {' or '.join(_MODES)}"
        yield (*request.path, "allocationMode"), message, "ask for ExactCount with a count, or for All"
    if count in (ABSENT, None, 0):  # the API server makes 1 of 0
        return
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        yield (*request.path, "count"), f"a count of {shown(count)}", "ask for a whole number of devices above 0"
    elif mode == "All":
        message = f"a count of {shown(count)} together with allocationMode All"
        yield (*request.path, "count"), message, "remove the count, or ask for ExactCount"


def _names(ref: ObjectRef, tree: Tree) -> Iterator[_Finding]:
    if (ref.group, ref.kind) == DEVICE_CLASS:
        return
    known = {request.name for request in requests(ref, tree)}
    known |= {text(request, "name") for _, request in mappings(devices(ref, tree), "requests")}
    for field in ("constraints", "config"):
        for index, part in mappings(devices(ref, tree), field):
            for place, name in texts(part, "requests"):
                if name not in known:
                    path = (*devices_path(ref), field, index, "requests", place)
                    yield path, f"{field} for request {shown(name)}, which is not there", "name a request of the claim"


CHECKERS: Final = (Checker(HOLDERS, check),)
