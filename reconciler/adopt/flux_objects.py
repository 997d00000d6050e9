"""Owns finding Flux's objects by name, and the fields that several kinds of them share. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.adopt.model import Unsupported
from reconciler.errors import UsageError
from reconciler.model.ref import split_api_version
from reconciler.model.tree import Tree
from reconciler.render.fields import Fields
from reconciler.snapshot.model import Adopter

Lookup = Callable[[str, str, str], Mapping[str, bytes] | None]
"""The keys of (kind, namespace, name), of a ConfigMap or Secret of the cluster; None where there is none."""

_GROUPS: Final = ".toolkit.fluxcd.io"
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:h|ms|m|s|us|µs|ns))+")
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?)(h|ms|m|s|us|µs|ns)")
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_IMAGE: Final = ("newName", "newTag", "digest")
_TARGET: Final = ("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector")


class NotThereError(UsageError):
    """A definition refers to an object that is not there, which may be for a moment only."""


@dataclass(frozen=True, slots=True)
class FluxObject:
    """One object of Flux. `parts` gathers what of it cannot be, while it is read."""

    kind: str
    namespace: str
    name: str
    tree: Mapping[str, Tree]
    parts: list[Unsupported] = field(default_factory=list)

    @property
    def adopter(self) -> Adopter:
        """How sources and reports name it."""
        return Adopter(self.kind, self.name, self.namespace)

    @property
    def spec(self) -> Fields:
        """Its spec, of which each field is asked for by name. Raises UsageError where there is none."""
        return Fields(self.tree.get("spec"), "spec")

    def lacks(self, where: str, reason: str) -> None:
        """Note a part that cannot be; the rest is guarded."""
        self.parts.append(Unsupported(self.adopter, where, reason, whole=False))

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class FluxObjects:
    """Those among some definitions, by kind, namespace and name."""

    def __init__(self, definitions: Iterable[Tree]) -> None:
        self._known: dict[tuple[str, str, str], FluxObject] = {}
        for tree in definitions:
            if not isinstance(tree, Mapping) or not isinstance(tree.get("metadata"), Mapping):
                continue
            group, _ = split_api_version(str(tree.get("apiVersion")))
            metadata = tree["metadata"]
            if group.endswith(_GROUPS) and metadata.get("name"):
                namespace = str(metadata.get("namespace") or "default")
                one = FluxObject(str(tree.get("kind")), namespace, str(metadata["name"]), tree)
                self._known[one.kind, one.namespace, one.name] = one

    def of_kind(self, kind: str) -> Iterator[FluxObject]:
        """All of a kind, in the order given."""
        return (one for one in self._known.values() if one.kind == kind)

    def find(self, kind: str, namespace: str, name: str, where: str) -> FluxObject:
        """The object that the field `where` names. Raises NotThereError where there is none."""
        one = self._known.get((kind, namespace, name))
        if one is None:
            raise NotThereError(f"there is no {kind} {namespace}/{name}", where=where)
        return one


def named(fields: Fields, namespace: str) -> tuple[str, str, str]:
    """Kind, namespace and name that a reference gives; without a namespace it is `namespace`."""
    return fields.text("kind"), fields.text("namespace") or namespace, fields.text("name")


def seconds(fields: Fields, key: str) -> int | None:
    """A duration as Go writes it (`1h`, `5m30s`, `1.5s`), at least one second; None where there is none."""
    text = fields.text(key)
    if not text:
        return None
    if not _DURATION.fullmatch(text):
        raise fields.wrong(key, f"{text!r} is no duration")
    return max(1, round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))))


def check_ours(one: FluxObject, fields: Fields) -> None:
    """Raises UsageError for what is not applied to this cluster, or is about to go."""
    if fields.any("kubeConfig") is not None:
        raise UsageError(
            "applies to another cluster", where="spec.kubeConfig", hint="adopt it where Setscrew guards that cluster"
        )
    if one.tree["metadata"].get("deletionTimestamp"):
        raise UsageError("is being deleted: what it manages is not held any more", where="metadata.deletionTimestamp")


def common_metadata(fields: Fields) -> dict[str, Any]:
    """`commonMetadata`, empty where there is none."""
    inner = Fields(fields.mapping("commonMetadata"), "spec.commonMetadata")
    found = {key: inner.texts(key) for key in ("labels", "annotations")}
    inner.done()
    return {key: value for key, value in found.items() if value}


def images(fields: Fields, where: str) -> list[dict[str, str]]:
    """`images` in the words of a kustomization. What an entry leaves out stays as the kustomization has it.

    Tag and digest are one: whoever sets either replaces both.
    """
    found = []
    for mapping in fields.mappings("images"):
        one = Fields(mapping, f"{where}.images")
        name, words = one.text("name"), {key: one.text(key) for key in _IMAGE}
        one.done()
        if not name:
            raise one.wrong("name", "must be set")
        words["newName"] = words["newName"] or "*"
        if not words["newTag"] and not words["digest"]:
            words |= {"newTag": "*", "digest": "*"}
        found.append({"name": name, **{key: text for key, text in words.items() if text}})
    return found


def patches(fields: Fields, where: str) -> list[dict[str, Any]]:
    """`patches` in the words of a kustomization."""
    found = []
    for mapping in fields.mappings("patches"):
        one = Fields(mapping, f"{where}.patches")
        patch: dict[str, Any] = {"patch": one.text("patch")}
        if one.any("target") is not None:
            target = Fields(one.mapping("target"), f"{where}.patches.target")
            patch["target"] = {key: text for key in _TARGET if (text := target.text(key))}
            target.done()
        one.done()
        found.append(patch)
    return found


def note_unknown(one: FluxObject, fields: Fields, called: str = "spec") -> None:
    """What nobody has asked for is of a newer Flux, or no field at all: it is named, the rest holds."""
    for key in fields.unasked():
        one.lacks(f"{called}.{key}", "is not known to this version of Setscrew")
