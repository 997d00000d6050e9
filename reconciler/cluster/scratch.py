"""Owns what lets an object be dry-run as a copy: a scratch name, and pins that only one object may hold. Pure.

A scratch name is never longer than the name it stands for (or 15 characters), so it fits every limit that this fits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree

# Their name is part of what they are: a copy under another name is refused or another thing.
NAME_BOUND: Final = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("networking.k8s.io", "IPAddress"),
        ("storage.k8s.io", "CSINode"),
    }
)
# A PUT of these keeps what the live object holds (allocations, binding, a whole spec), so only a copy is clean.
_CARRIED_OVER: Final = frozenset(
    {
        ("", "PersistentVolumeClaim"),
        ("", "Pod"),
        ("batch", "Job"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
    }
)
_SERVER_METADATA: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_ROOM: Final = 7


def scratch_name(name: str, token: str) -> str:
    """`name` cut so that `-` and `token` (6 characters, the first a letter) fit in its own length."""
    stem = re.sub(r"[^a-z0-9]+$", "", name[: max(len(name) - _ROOM, 8)])
    return f"{stem}-{token}" if stem else f"s-{token}"


def body_of(tree: Tree) -> dict[str, Any]:
    """What is sent: the object without status and without what only the server may set."""
    metadata = {key: value for key, value in (tree.get("metadata") or {}).items() if key not in _SERVER_METADATA}
    body = {key: value for key, value in tree.items() if key != "status"}
    return {**body, "metadata": metadata}


def carries_over(kind: KindInfo, body: Mapping[str, Any]) -> bool:
    """Whether a PUT would mix values of the live object into the answer."""
    if (kind.group, kind.kind) == ("", "Service"):
        return not _spec(body).get("clusterIP")
    return (kind.group, kind.kind) in _CARRIED_OVER


def replaceable(kind: KindInfo, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a PUT: a Secret without a type would silently keep the live one's."""
    if (kind.group, kind.kind) == ("", "Secret") and not body.get("type"):
        return {**body, "type": "Opaque"}
    return dict(body)


def named(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """`body` under another name."""
    return {**body, "metadata": {**body["metadata"], "name": name}}


def renamed(value: Tree, scratch: str, name: str) -> Tree:
    """`value` with every mention of the scratch name, in keys too, turned back into the real one."""
    if isinstance(value, str):
        return value.replace(scratch, name)
    if isinstance(value, list):
        return [renamed(item, scratch, name) for item in value]
    if isinstance(value, dict):
        return {key.replace(scratch, name): renamed(item, scratch, name) for key, item in value.items()}
    return value


def without_pins(kind: KindInfo, body: Mapping[str, Any]) -> dict[str, Any]:
    """A Service without pinned addresses and ports (`clusterIP: None` is none); any other body as it is."""
    if (kind.group, kind.kind) != ("", "Service") or not isinstance(body.get("spec"), dict):
        return dict(body)
    spec = {key: value for key, value in body["spec"].items() if key != "healthCheckNodePort"}
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    if isinstance(spec.get("ports"), list):
        spec["ports"] = [_without(port, "nodePort") for port in spec["ports"]]
    return {**body, "spec": spec}


def with_pins(kind: KindInfo, body: Mapping[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """`answer` with the pins of `body` put back in the places of what the server allocated instead."""
    spec, want = answer.get("spec"), _spec(body)
    if (kind.group, kind.kind) != ("", "Service") or not isinstance(spec, dict):
        return answer
    spec = {**spec, **{key: want[key] for key in ("clusterIP", "clusterIPs", "healthCheckNodePort") if want.get(key)}}
    if want.get("clusterIP") and not want.get("clusterIPs"):
        spec["clusterIPs"] = [want["clusterIP"], *(spec.get("clusterIPs") or ())[1:]]
    ports, pinned = spec.get("ports"), want.get("ports")
    if isinstance(ports, list) and isinstance(pinned, list) and len(ports) == len(pinned):
        spec["ports"] = [_with_node_port(port, pin) for port, pin in zip(ports, pinned, strict=True)]
    return {**answer, "spec": spec}


def _spec(body: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = body.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _without(value: Tree, field: str) -> Tree:
    return {key: item for key, item in value.items() if key != field} if isinstance(value, dict) else value


def _with_node_port(port: Tree, pin: Tree) -> Tree:
    pinned = pin.get("nodePort") if isinstance(pin, dict) else None
    return {**port, "nodePort": pinned} if pinned and isinstance(port, dict) else port
