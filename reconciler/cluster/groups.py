"""Owns reading discovery documents, aggregated and plain, into kinds. Must not send anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.ref import KindInfo, split_api_version


@dataclass(slots=True)
class Served:
    """What discovery found: kinds, and for group/versions that do not answer the reason."""

    kinds: list[KindInfo] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)


def read_aggregated(body: Mapping[str, Any], out: Served) -> None:
    """Add the kinds of an APIGroupDiscoveryList to `out`."""
    for group in body.get("items") or ():
        name = str(group.get("metadata", {}).get("name") or "")
        for version in group.get("versions") or ():
            if version.get("freshness") == "Stale":
                # The aggregator keeps the last list of a server that is down; an empty one was never up.
                out.unavailable[_group_version(name, version)] = "the server behind this APIService does not answer"
            for resource in version.get("resources") or ():
                _add(out, name, str(version["version"]), resource)


def _add(out: Served, group: str, version: str, resource: Mapping[str, Any]) -> None:
    # Some entries stand for subresources whose parent is unknown, and review kinds can only be created.
    kind = (resource.get("responseKind") or {}).get("kind")
    if not kind or "get" not in (resource.get("verbs") or ()):
        return
    subresources = sorted(str(entry["subresource"]) for entry in resource.get("subresources") or ())
    out.kinds.append(
        KindInfo(
            group,
            version,
            str(kind),
            str(resource["resource"]),
            resource.get("scope") == "Namespaced",
            tuple(subresources),
        )
    )


def read_resources(group_version: str, body: Mapping[str, Any], out: Served) -> None:
    """Add the kinds of an APIResourceList to `out`."""
    group, version = split_api_version(group_version)
    resources = [entry for entry in body.get("resources") or () if entry.get("name") and entry.get("kind")]
    below: dict[str, list[str]] = {}
    for entry in resources:
        parent, slash, subresource = str(entry["name"]).partition("/")
        if slash:
            below.setdefault(parent, []).append(subresource)
    for entry in resources:
        name = str(entry["name"])
        if "/" not in name and "get" in (entry.get("verbs") or ()):
            subresources = tuple(sorted(below.get(name, ())))
            out.kinds.append(
                KindInfo(group, version, str(entry["kind"]), name, bool(entry.get("namespaced")), subresources)
            )


def _group_version(group: str, version: Mapping[str, Any]) -> str:
    return f"{group}/{version['version']}" if group else str(version["version"])
