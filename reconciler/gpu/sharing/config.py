"""Owns the reading of one configuration of the device plugin: who shares what, how often. Must not know nodes or GPUs.

What the plugin refuses is SHR-01; what it reads and ignores is SHR-05.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from reconciler.gpu.finding import Finding
from reconciler.gpu.tolerant import shown, text
from reconciler.model.path import Path
from reconciler.model.tree import Tree, child, dig

Way = Literal["timeSlicing", "mps"]
WAYS: Final[tuple[Way, ...]] = ("timeSlicing", "mps")
PREFIX: Final = "nvidia.com/"
SHARED: Final = ".shared"
_TOP: Final = frozenset({"version", "flags", "resources", "sharing", "imex", "health"})
_SECTION: Final = frozenset({"renameByDefault", "failRequestsGreaterThanOne", "resources"})
_RESOURCE: Final = frozenset({"name", "rename", "devices", "replicas"})


@dataclass(frozen=True, slots=True)
class Share:
    """One resource that is offered `replicas` times a GPU. `name` has its prefix; `at` leads to it in the document."""

    way: Way
    name: str
    replicas: int | None
    renamed: bool
    at: Path

    @property
    def offered(self) -> str:
        """The name that Pods ask for."""
        return self.name + SHARED if self.renamed else self.name


@dataclass(frozen=True, slots=True)
class Config:
    """One key of the ConfigMap. `sections`: the ways of sharing that it sets; `strict`: those that never give two."""

    strategy: str
    sections: tuple[Way, ...]
    strict: frozenset[Way]
    shares: tuple[Share, ...]
    findings: tuple[Finding, ...]

    @property
    def way(self) -> Way | None:
        """The way that acts: MPS where both are set."""
        return self.sections[-1] if self.sections else None


def looks_so(tree: Tree) -> bool:
    """Whether a document is a configuration of the device plugin: it shares in one of its ways, or says a strategy."""
    shares = any(isinstance(dig(tree, "sharing", way), dict) for way in WAYS)
    return shares or (isinstance(dig(tree, "flags", "migStrategy"), str) and set(tree) <= _TOP)


def read_config(tree: Tree) -> Config:
    """Never raises: what cannot be read is a finding."""
    sections = tuple(way for way in WAYS if isinstance(dig(tree, "sharing", way), dict))
    shares, findings = list[Share](), list[Finding](_ignored(tree))
    for way in sections:
        for found in _resources(dig(tree, "sharing", way), way):
            (shares if isinstance(found, Share) else findings).append(found)  # type: ignore[arg-type]
    strict = frozenset(way for way in sections if _strict(dig(tree, "sharing", way), way))
    return Config(text(tree, "flags", "migStrategy"), sections, strict, tuple(shares), tuple(findings))


def _strict(section: Tree, way: Way) -> bool:
    """MPS refuses requests for more than one unless told otherwise."""
    said = child(section, "failRequestsGreaterThanOne")
    return said if isinstance(said, bool) else way == "mps"


def _resources(section: Tree, way: Way) -> Iterator[Share | Finding]:
    at: Path = ("sharing", way, "resources")
    resources = child(section, "resources")
    if not isinstance(resources, list) or not resources:
        yield _wrong(at, f"{way} names no resource: the device plugin does not start", "list resources, or remove it")
        return
    renamed = child(section, "renameByDefault") is True
    for index, one in enumerate(resources):
        yield from _resource(one, way, (*at, index), renamed=renamed)


def _resource(one: Tree, way: Way, at: Path, *, renamed: bool) -> Iterator[Share | Finding]:
    name = text(one, "name")
    if not name:
        yield _wrong(at, "a shared resource has no name", "name it, as in nvidia.com/gpu")
        return
    replicas = child(one, "replicas")
    whole = type(replicas) is int or (isinstance(replicas, float) and replicas.is_integer())
    if not whole or replicas < 2:
        said = str(replicas) if whole else repr(shown(replicas)) if isinstance(replicas, str) else "no number"
        message = f"replicas of {shown(name)} is {said if 'replicas' in one else 'missing'}"
        fix = "write a whole number from 2 on"
        yield _wrong((*at, "replicas"), f"{message}: the device plugin does not start", fix)
    full = name if name.startswith(PREFIX) else PREFIX + name
    yield Share(way, full, int(replicas) if whole else None, renamed, at)


def _wrong(at: Path, message: str, fix: str) -> Finding:
    return Finding("SHR-01", "error", at, message, fix)


def _ignored(tree: Tree) -> Iterator[Finding]:
    if not isinstance(tree, dict):
        return
    yield from _unknown(tree, _TOP, ())
    if tree.get("resources"):
        yield _no_effect(("resources",), "resources")
    sharing = child(tree, "sharing")
    if isinstance(sharing, dict):
        yield from _unknown(sharing, frozenset(WAYS), ("sharing",))
        for way in WAYS:
            yield from _ignored_below(child(sharing, way), ("sharing", way))


def _ignored_below(section: Tree, at: Path) -> Iterator[Finding]:
    if not isinstance(section, dict):
        return
    yield from _unknown(section, _SECTION, at)
    renamed = child(section, "renameByDefault") is True
    resources = child(section, "resources")
    for index, one in enumerate(resources if isinstance(resources, list) else ()):
        if isinstance(one, dict):
            place = (*at, "resources", index)
            yield from _unknown(one, _RESOURCE, place)
            if one.get("rename") and not (renamed and one["rename"] == f"{one.get('name')}{SHARED}"):
                yield _no_effect((*place, "rename"), "rename")
            if one.get("devices", "all") != "all":
                yield _no_effect((*place, "devices"), "devices")


def _unknown(tree: Mapping[str, Tree], known: frozenset[str], at: Path) -> Iterator[Finding]:
    for key in tree:
        if key not in known:
            yield _no_effect((*at, str(key)), shown(str(key)), f"remove it, or use one of {', '.join(sorted(known))}")


def _no_effect(at: Path, field: str, fix: str = "remove it") -> Finding:
    return Finding("SHR-05", "warning", at, f"the device plugin ignores the field {field}", fix)
