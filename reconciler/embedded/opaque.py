"""Owns what a driver reads into opaque parameters of DRA where its own kinds of them are known. Must not compare.

Such parameters have an `apiVersion` and a `kind` and are no objects of the API for all that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.embedded.format import changed
from reconciler.model.tree import Tree, child, dig

DRA: Final = "resource.k8s.io"
_NVIDIA: Final = "resource.nvidia.com/"
# Where the list of configurations stands, by kind.
_CONFIGS: Final[Mapping[str, tuple[str, ...]]] = {
    "DeviceClass": ("spec", "config"),
    "ResourceClaim": ("spec", "devices", "config"),
    "ResourceClaimTemplate": ("spec", "spec", "devices", "config"),
}
# What a strategy without a configuration of its own means, by kind of parameters.
_SHARING: Final[Mapping[str, Mapping[str, tuple[str, dict[str, Tree]]]]] = {
    "GpuConfig": {"TimeSlicing": ("timeSlicingConfig", {"interval": "Default"}), "MPS": ("mpsConfig", {})},
    "MigDeviceConfig": {"MPS": ("mpsConfig", {})},
}


def with_defaults(kind: str, *trees: Tree) -> tuple[Tree, ...]:
    """States of one object of DRA, each with the defaults of parameters that another state spells out."""
    place = _CONFIGS.get(kind)
    if place is None:
        return trees
    said = {(index, key) for tree in trees for index, sharing in _sharings(dig(tree, *place)) for key in sharing}
    return tuple(_at(tree, place, said) for tree in trees) if said else trees


_Said = set[tuple[int, str]]


def _sharings(configs: Tree) -> Iterator[tuple[int, dict[str, Tree]]]:
    for index, one in enumerate(configs if isinstance(configs, list) else ()):
        sharing = dig(one, "opaque", "parameters", "sharing")
        if isinstance(sharing, dict):
            yield index, sharing


def _at(tree: Tree, place: tuple[str, ...], said: _Said) -> Tree:
    if place:
        return changed(tree, place[0], lambda below: _at(below, place[1:], said))
    if not isinstance(tree, list):
        return tree
    return [_config(one, {key for at, key in said if at == index}) for index, one in enumerate(tree)]


def _config(config: Tree, said: set[str]) -> Tree:
    return changed(config, "opaque", lambda opaque: changed(opaque, "parameters", lambda one: _parameters(one, said)))


def _parameters(tree: Tree, said: set[str]) -> Tree:
    version, kind = child(tree, "apiVersion"), child(tree, "kind")
    if not isinstance(version, str) or not version.startswith(_NVIDIA) or not isinstance(kind, str):
        return tree
    known = _SHARING.get(kind)
    return tree if known is None else changed(tree, "sharing", lambda sharing: _sharing(sharing, known, said))


def _sharing(sharing: Tree, known: Mapping[str, tuple[str, dict[str, Tree]]], said: set[str]) -> Tree:
    strategy = child(sharing, "strategy")
    if not isinstance(strategy, str) or strategy not in known:
        return sharing
    name, default = known[strategy]
    own = sharing.get(name) or {}
    return {**sharing, name: {**default, **own}} if name in said and isinstance(own, dict) else sharing
