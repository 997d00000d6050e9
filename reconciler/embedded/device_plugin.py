"""Owns the meaning of a configuration of NVIDIA's device plugin and GPU feature discovery. Must not judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.embedded.format import EMPTY_MATTERS, SET, Format, as_list, changed, nulls_said, struct, without_empties
from reconciler.model.tree import Tree, child
from reconciler.policy.model import SemanticRule
from reconciler.schema.semantics import Semantics
from reconciler.schema.types import TypeNode

_PREFIX: Final = "nvidia.com/"
# Words by which each section is known; a section of any of them makes the document one of these.
_SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "sharing": ("timeSlicing", "mps"),
    "imex": ("channelIDs", "required"),
    "flags": (
        "migStrategy",
        "failOnInitError",
        "nvidiaDriverRoot",
        "nvidiaDevRoot",
        "mpsRoot",
        "gdrcopyEnabled",
        "gdsEnabled",
        "mofedEnabled",
        "useNodeFeatureAPI",
        "deviceDiscoveryStrategy",
        "plugin",
        "gfd",
    ),
    "resources": ("gpus", "migs"),
}
# Of each way of sharing: whether a request for more than one is refused where the file does not say.
_FAILS: Final = {"timeSlicing": False, "mps": True}
_DURATION: Final = SemanticRule(
    id="duration",
    kinds=("*",),
    paths=("/flags/gfd/sleepInterval",),
    reason="durations are compared by length",
    meaning="duration",
)


def _recognises(tree: Tree) -> bool:
    if not isinstance(tree, dict) or "kind" in tree or tree.get("version") not in (None, "", "v1"):
        return False
    return any(any(word in _map(tree.get(name)) for word in words) for name, words in _SECTIONS.items())


def _normal(tree: Tree) -> Tree:
    """What is empty means nothing, except in `sharing`: with a way of sharing and no resource the plugin ends."""
    if not isinstance(tree, dict):
        return tree
    sharing = {"sharing": nulls_said(tree["sharing"])} if tree.get("sharing") not in (None, {}) else {}
    tree = {**without_empties({**tree, "sharing": None}), **sharing, "version": tree.get("version") or "v1"}
    tree = changed(tree, "flags", _flags)
    return changed(tree, "sharing", _sharing)


def _flags(flags: Tree) -> Tree:
    return changed(flags, "plugin", lambda plugin: changed(plugin, "deviceListStrategy", as_list))


def _sharing(sharing: Tree) -> Tree:
    for way, fails in _FAILS.items():
        if isinstance(child(sharing, way), dict):
            defaults = {"renameByDefault": False, "failRequestsGreaterThanOne": fails}
            sharing = {**sharing, way: {**defaults, **changed(sharing[way], "resources", _resources)}}
    return sharing


def _resources(resources: Tree) -> Tree:
    return [_resource(one) for one in resources] if isinstance(resources, list) else resources


def _resource(resource: Tree) -> Tree:
    if not isinstance(resource, dict):
        return resource
    return {"devices": "all", **changed(resource, "name", _name)}


def _name(name: Tree) -> Tree:
    return _PREFIX + name if isinstance(name, str) and "/" not in name else name


def _map(tree: Tree) -> dict[str, Tree]:
    return tree if isinstance(tree, dict) else {}


_WAY: Final = struct(resources=TypeNode(list_type="map", keys=("name",), each=struct(devices=SET)))
DEVICE_PLUGIN: Final = Format(
    name="device-plugin",
    title="a device plugin configuration",
    words=tuple(word for words in _SECTIONS.values() for word in words),
    recognises=_recognises,
    normal=_normal,
    types=struct(
        flags=struct(plugin=struct(deviceListStrategy=SET)),
        sharing=struct(timeSlicing=_WAY, mps=_WAY),
    ),
    semantics=Semantics((_DURATION, EMPTY_MATTERS)),
    closed=True,
    rule="SHR-01",
)
