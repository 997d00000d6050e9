"""Owns rendered objects and where they come from. Must not parse or render."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import ABSENT, Tree


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a rendered object stands in Git: enough for an "edit here" link and a denial.

    `file` is relative to the repository root (or to the rendered directory), `line` counts from 1 (0: unknown),
    `generator` names what made it: "yaml", "kustomize" or "helm".
    """

    source: str = ""
    revision: str = ""
    file: str = ""
    line: int = 0
    document: int = 0
    generator: str = "yaml"

    @property
    def place(self) -> str:
        """`deploy/web.yaml:12`, or the file alone where the line is not known."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class RenderedObject:
    """One object as Git says it, before any normalization beyond parsing.

    `generated` holds sorted RFC 6901 pointers into `tree`: what the renderer makes anew each time (passwords,
    certificates, times), so that only its presence is declared. A pointer may lead to a mapping or list.
    `written_as` is the `apiVersion` that Git has, where `tree` is the same object in another version. `ref` is the
    identity as written: the namespace may still be missing.
    """

    tree: Tree
    provenance: Provenance
    generated: tuple[str, ...] = ()
    written_as: str = ""
    ref: ObjectRef = field(init=False, repr=False, compare=False)

    @property
    def api_version(self) -> str:
        """`apiVersion` as written."""
        return str(self.tree["apiVersion"])

    def __post_init__(self) -> None:
        metadata = self.tree["metadata"]
        group, _ = split_api_version(self.api_version)
        namespace = str(metadata.get("namespace") or "")
        # Once for each object: it is asked for some twenty times on the way of a push.
        object.__setattr__(self, "ref", ObjectRef(group, str(self.tree["kind"]), namespace, str(metadata["name"])))

    def with_namespace(self, namespace: str) -> RenderedObject:
        """The same object with `metadata.namespace` set ("" removes it)."""
        if self.tree["metadata"].get("namespace", ABSENT) == (namespace or ABSENT):
            return self
        metadata = {key: value for key, value in self.tree["metadata"].items() if key != "namespace"}
        if namespace:
            metadata["namespace"] = namespace
        return replace(self, tree={**self.tree, "metadata": metadata})
