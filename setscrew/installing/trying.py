"""Owns the rehearsal of an installation: each object as a dry-run at the API server, and what it would change there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from reconciler.errors import ApiError
from reconciler.model.ref import ObjectRef
from setscrew.installing.errors import InstallError
from setscrew.installing.objects import Document, ref_of
from setscrew.installing.server import Outcome, Server, content

_CONTEXT_LINES: Final = 2


@dataclass(frozen=True, slots=True)
class Tried:
    """What would become of one object: `diff` of what stands there, or `refused` by whom and why.

    `unseen` says why nobody could try: what it needs comes with the same installation.
    """

    ref: ObjectRef
    outcome: Outcome
    diff: str = ""
    refused: ApiError | InstallError | None = None
    unseen: str = ""


def tried(server: Server, documents: Sequence[Document], *, force: bool = False) -> Iterator[Tried]:
    """Each document as a dry-run. Raises ClusterError where the API server does not answer."""
    coming = {ref_of(tree) for tree in documents}
    namespaces = {ref.name for ref in coming if ref.kind == "Namespace"}
    there = {name for name in namespaces if server.get(f"/api/v1/namespaces/{name}") is not None}
    kinds = {(tree["spec"]["group"], tree["spec"]["names"]["kind"]) for tree in _definitions(documents)}
    for tree in documents:
        ref = ref_of(tree)
        if ref.namespace in namespaces - there:
            yield Tried(ref, "created", unseen=f"namespace {ref.namespace} comes with it")
        elif (ref.group, ref.kind) in kinds and server.found(ref.group, ref.kind) is None:
            yield Tried(ref, "created", unseen="its definition comes with it")
        else:
            yield _tried(server, tree, ref, force=force)


def _tried(server: Server, tree: Document, ref: ObjectRef, *, force: bool) -> Tried:
    try:
        before = server.read(ref)
        outcome, after = server.apply(tree, dry_run=True, force=force)
    except (ApiError, InstallError) as error:
        return Tried(ref, "created", refused=error)
    return Tried(ref, outcome, _diff(before, after, ref) if outcome == "configured" else "")


def _definitions(documents: Iterable[Document]) -> Iterator[Document]:
    return (tree for tree in documents if tree["kind"] == "CustomResourceDefinition")


def _diff(before: Document | None, after: Document, ref: ObjectRef) -> str:
    names = {"fromfile": f"live {ref}", "tofile": f"new {ref}"}
    return "\n".join(difflib.unified_diff(_text(before), _text(after), **names, n=_CONTEXT_LINES, lineterm=""))


def _text(tree: Document | None) -> list[str]:
    return yaml.safe_dump(content(tree), sort_keys=True, allow_unicode=True).splitlines() if tree else []
