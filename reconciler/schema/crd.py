"""Owns what a CustomResourceDefinition says of its kinds: names, scope, subresources, types. Must not fetch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree
from reconciler.schema.openapi import UNTYPED, SchemaReader
from reconciler.schema.types import TypeNode


def crd_kinds(crd: Tree) -> tuple[KindInfo, ...]:
    """One `KindInfo` for each served version of a CRD (apiextensions.k8s.io/v1); () for anything malformed."""
    spec = crd.get("spec") if isinstance(crd, Mapping) else None
    names = spec.get("names") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(names, Mapping):
        return ()
    group, kind, plural = (str(value or "") for value in (spec.get("group"), names.get("kind"), names.get("plural")))
    if not (group and kind and plural):
        return ()
    namespaced = spec.get("scope") == "Namespaced"
    return tuple(
        KindInfo(group, name, kind, plural, namespaced, _subresources(version), replicas_path(version))
        for name, version in _versions(spec)
    )


def crd_types(crd: Tree, version: str) -> TypeNode:
    """The type of the kind in `version`, with its defaults; untyped where the CRD brings no schema for it."""
    for name, entry in _versions(crd.get("spec")):
        if name == version:
            holder = entry.get("schema")
            schema = holder.get("openAPIV3Schema") if isinstance(holder, Mapping) else None
            return SchemaReader(custom=True).root(schema) if isinstance(schema, Mapping) else UNTYPED
    return UNTYPED


def replicas_path(version: Tree) -> str:
    """`/spec/replicas` of one entry of `spec.versions`, or "" without a scale subresource."""
    subresources = version.get("subresources")
    scale = subresources.get("scale") if isinstance(subresources, Mapping) else None
    path = scale.get("specReplicasPath") if isinstance(scale, Mapping) else None
    return str(path).replace(".", "/") if path else ""


def _versions(spec: Tree) -> Iterator[tuple[str, Tree]]:
    versions = spec.get("versions") if isinstance(spec, Mapping) else None
    for version in versions if isinstance(versions, list) else ():
        if isinstance(version, Mapping) and version.get("name") and version.get("served", True):
            yield str(version["name"]), version


def _subresources(version: Tree) -> tuple[str, ...]:
    named = version.get("subresources")
    return tuple(sorted(named)) if isinstance(named, Mapping) else ()
