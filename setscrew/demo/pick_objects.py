"""Owns the changes that fit objects of other kinds, down to those that fit any. Must not run them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree
from reconciler.schema.catalog import CRD
from setscrew.demo.own_source_plan import Declared
from setscrew.demo.pick_shared import Pick, Picker, Place, at, change, labelled, merge, patch, target

_DEVICE_CLASS: Final = ("resource.k8s.io", "DeviceClass")
_ROLES: Final = ("Role", "ClusterRole")
_NEVER_DELETED: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
_EVERYTHING: Final = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


def _config(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in objects:
        data = one.tree.get("data")
        if (one.ref.group, one.ref.kind) == ("", "ConfigMap") and isinstance(data, Mapping) and data:
            key = min(data, key=lambda key: len(str(data[key])))
            yield change(
                "A value of a ConfigMap",
                f"Git declares the key {key} of {one.ref}.",
                merge(one, {"data": {key: "changed by hand"}}),
                one,
                ("data", key),
            )


def _labels(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in objects:
        for key, _ in labelled(one):
            yield change(
                "A label that Git declares",
                "Selectors, policies and cost reports go by it.",
                ("label", *target(one), "--overwrite", f"{key}=changed-by-hand"),
                one,
                ("metadata", "labels", key),
            )
            break


def _rules(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in objects:
        if one.ref.group == "rbac.authorization.k8s.io" and one.ref.kind in _ROLES and one.tree.get("rules"):
            yield change(
                "One more RBAC rule",
                f"The role {one.ref.name} would be allowed everything.",
                patch(one, [{"op": "add", "path": "/rules/-", "value": _EVERYTHING}])[1:],
                one,
                ("rules",),
            )


def _selectors(objects: Sequence[Declared]) -> Iterator[Pick]:
    place: Place = ("spec", "selectors", 0, "cel", "expression")
    for one in objects:
        if (one.ref.group, one.ref.kind) == _DEVICE_CLASS and isinstance(at(one.tree, place), str):
            yield change(
                "Which devices a class means",
                f"Every claim that names {one.ref.name} would get whatever device is free.",
                patch(one, [{"op": "replace", "path": "/spec/selectors/0/cel/expression", "value": "true"}])[1:],
                one,
                place,
            )


def _ports(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in objects:
        port = at(one.tree, ("spec", "ports", 0, "port"))
        if (one.ref.group, one.ref.kind) == ("", "Service") and isinstance(port, int):
            yield change(
                "The port of a Service",
                "Clients that go by Git would find nobody there.",
                patch(one, [{"op": "replace", "path": "/spec/ports/0/port", "value": 1 + port % 65000}])[1:],
                one,
                ("spec", "ports", 0, "port"),
            )


def _opt_outs(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in objects:
        yield change(
            "An annotation that takes the object out of the GitOps tool's hands",
            "Annotations are free, but not those that steer a tool: this one would make Argo CD look away.",
            ("annotate", *target(one), "argocd.argoproj.io/compare-options=IgnoreExtraneous"),
            one,
        )


def _secret_keys(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in objects:
        if (one.ref.group, one.ref.kind) == ("", "Secret"):
            yield change(
                "One more key in a Secret",
                "Git declares the Secret as a whole; what is added to it is mounted with the rest.",
                merge(one, {"stringData": {"by-hand": "unexpected"}}),
                one,
            )


def _fields(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in objects:
        for path, text in _texts(one.tree.get("spec"), ("spec",)):
            body: dict[str, Any] = {"op": "replace", "path": "/" + "/".join(path), "value": f"{text}-x"}
            yield change(
                "A field that Git declares",
                f"{'.'.join(path)} of {one.ref}.",
                patch(one, [body])[1:],
                one,
                path,
            )
            break


def _texts(tree: Tree, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Text fields that are not inside lists and whose names need no escape; type and class names are left alone."""
    if isinstance(tree, Mapping):
        for key, below in tree.items():
            if isinstance(below, str) and key.endswith(("escription", "essage", "omment")):
                yield (*above, key), below
            elif "/" not in key and "~" not in key:
                yield from _texts(below, (*above, key))


def _deletions(objects: Sequence[Declared]) -> Iterator[Pick]:
    ranked = sorted(objects, key=lambda one: (one.ref.group != "apps", (one.ref.group, one.ref.kind) == CRD))
    for one in ranked:
        yield change(
            "Deletion of an object",
            "Git declares it, so it stays. To remove it for good, remove it from Git.",
            ("delete", *target(one), "--wait=false"),
            one,
        )


def _definitions(objects: Sequence[Declared]) -> Iterator[Pick]:
    for one in objects:
        if (one.ref.group, one.ref.kind) == CRD:
            yield change(
                "Deletion of a CustomResourceDefinition",
                "All objects of the kind would go with it.",
                ("delete", *target(one), "--wait=false"),
                one,
            )


def _namespaces(objects: Sequence[Declared]) -> Iterator[Pick]:
    for name in sorted({one.ref.namespace for one in objects} - {"", *_NEVER_DELETED}):
        kind = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False)
        yield change(
            "Deletion of a whole namespace",
            "The namespace goes first and takes all that is in it: then it is too late to ask for each object.",
            ("delete", "namespace", name, "--wait=false"),
            Declared(ObjectRef("", "Namespace", "", name), kind, {}),
        )


OBJECTS: Final[tuple[Picker, ...]] = (
    _config,
    _labels,
    _rules,
    _selectors,
    _namespaces,
    _deletions,
    _opt_outs,
    _ports,
    _secret_keys,
    _definitions,
    _fields,
)
