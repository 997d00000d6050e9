"""Owns what an ApplicationSet in a repository generates, for the generators whose input is at hand. Pure.

In a cluster its controller has made the Applications already, and those count.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from reconciler.adopt.argo_template import filled
from reconciler.adopt.model import Unsupported
from reconciler.errors import UsageError
from reconciler.model.tree import Tree
from reconciler.render.fields import Fields
from reconciler.snapshot.model import Adopter

Files = Callable[[str, str], Mapping[str, Tree]]
"""The files of a repository (URL, revision) by path: the tree of one in YAML or JSON, None for any other.

Raises UsageError where it is not at hand.
"""
_STRANGE: Final = re.compile(r"[^a-z0-9.-]+")
_NAME_CHARS: Final = 253


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that Argo CD knows."""

    name: str
    server: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


IN_CLUSTER: Final = Cluster("in-cluster", "https://kubernetes.default.svc")


def generated(
    applicationset: Mapping[str, Any], files: Files, clusters: Iterable[Cluster] = (IN_CLUSTER,)
) -> Iterator[Mapping[str, Any] | Unsupported]:
    """The Applications of an ApplicationSet, and by name each generator that cannot be had."""
    metadata = Fields(applicationset.get("metadata"), "metadata")
    by = Adopter("ApplicationSet", metadata.text("name"), metadata.text("namespace"))
    try:
        spec = Fields(applicationset.get("spec"), "spec")
        if spec.text("templatePatch"):
            raise spec.wrong("templatePatch", "is a program")
        go, template = spec.flag("goTemplate"), spec.mapping("template")
        generators = spec.mappings("generators")
    except UsageError as error:
        yield Unsupported(by, error.where, error.message)
        return
    for index, generator in enumerate(generators):
        where = f"spec.generators[{index}]"
        try:
            for params in _params(Fields(generator, where), where, files, tuple(clusters)):
                tree = filled(template, params, go=go, where="spec.template")
                yield _application(Fields(tree, "spec.template"), by)
        except UsageError as error:
            yield Unsupported(by, error.where, error.message, whole=len(generators) == 1)


def _application(template: Fields, by: Adopter) -> Mapping[str, Any]:
    metadata = {**template.mapping("metadata"), "namespace": by.namespace}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": metadata,
        "spec": template.mapping("spec"),
    }


def _params(fields: Fields, where: str, files: Files, clusters: tuple[Cluster, ...]) -> Iterator[dict[str, Any]]:
    elements, git, of_clusters = fields.any("list"), fields.any("git"), fields.any("clusters")
    fields.done()
    if elements is not None:
        yield from _listed(Fields(elements, f"{where}.list"))
    if git is not None:
        yield from _of_git(Fields(git, f"{where}.git"), files)
    if of_clusters is not None:
        yield from _of_clusters(Fields(of_clusters, f"{where}.clusters"), clusters)


def _listed(fields: Fields) -> Iterator[dict[str, Any]]:
    elements = fields.mappings("elements")
    fields.done()
    yield from map(dict, elements)


def _of_clusters(fields: Fields, clusters: tuple[Cluster, ...]) -> Iterator[dict[str, Any]]:
    selector = Fields(fields.mapping("selector"), fields.at("selector"))
    wanted, values = selector.texts("matchLabels"), fields.mapping("values")
    selector.done()
    fields.done()
    for one in clusters:
        if wanted.items() <= one.labels.items():
            metadata = {"labels": dict(one.labels), "annotations": dict(one.annotations)}
            yield {
                "name": one.name,
                "nameNormalized": _normal(one.name),
                "server": one.server,
                "metadata": metadata,
                "values": values,
            }


def _of_git(fields: Fields, files: Files) -> Iterator[dict[str, Any]]:
    url, revision = fields.text("repoURL"), fields.text("revision")
    directories, wanted, values = fields.mappings("directories"), fields.mappings("files"), fields.mapping("values")
    fields.any("requeueAfterSeconds")
    fields.done()
    found = files(url, revision)
    for directory in _directories(found, directories, fields.at("directories")):
        yield {"path": _place(directory), "values": values}
    patterns = [_pattern(one, fields.at("files"))[0] for one in wanted]
    for file in sorted(found):
        if any(fnmatchcase(file, pattern) for pattern in patterns):
            yield from _of_file(file, found[file], values, fields.at("files"))


def _of_file(file: str, tree: Tree, values: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    entries = tree if isinstance(tree, list) else [tree]
    place = {**_place(posixpath.dirname(file)), "filename": posixpath.basename(file)}
    for entry in entries:
        if not isinstance(entry, dict):
            raise UsageError(f"{file} is no mapping", where=where)
        yield {**entry, "path": {**place, "filenameNormalized": _normal(place["filename"])}, "values": dict(values)}


def _directories(found: Iterable[str], wanted: Iterable[Mapping[str, Any]], where: str) -> list[str]:
    """Those that a pattern asks for and none excludes; `*` is one step of a path."""
    patterns = [_pattern(one, where) for one in wanted]
    places = {place for file in found for place in _above(file)}
    return sorted(
        place
        for place in places
        if any(_fits(place, pattern) for pattern, out in patterns if not out)
        and not any(_fits(place, pattern) for pattern, out in patterns if out)
    )


def _pattern(entry: Mapping[str, Any], where: str) -> tuple[str, bool]:
    fields = Fields(entry, where)
    found = fields.text("path"), fields.flag("exclude")
    fields.done()
    return found


def _fits(place: str, pattern: str) -> bool:
    parts, wanted = place.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _above(file: str) -> Iterator[str]:
    place = posixpath.dirname(file)
    while place:
        if not any(part.startswith(".") for part in place.split("/")):
            yield place
        place = posixpath.dirname(place)


def _place(directory: str) -> dict[str, Any]:
    name = posixpath.basename(directory)
    return {
        "path": directory,
        "basename": name,
        "basenameNormalized": _normal(name),
        "segments": directory.split("/") if directory else [],
    }


def _normal(name: str) -> str:
    """A name as Kubernetes takes it."""
    return _STRANGE.sub("-", name.lower())[:_NAME_CHARS].strip("-.")
