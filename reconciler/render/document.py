"""Owns what a loader yields, and the error of a document beyond its limits. Must not parse."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.model.tree import Tree


@dataclass(frozen=True, slots=True)
class Document:
    """One document that is not empty: its tree, its first line (from 1) and its index among all documents (from 0).

    `item_lines` holds the lines of the entries of a top-level list `items`, where the document is a List.
    `duplicates` names keys that occur twice in one mapping, as `file:line: key`.
    """

    tree: Tree
    line: int
    index: int
    item_lines: tuple[int, ...] = ()
    duplicates: tuple[str, ...] = ()


def beyond_limits(where: str, depth: int) -> RenderError:
    """The error for a document at `where` that is too deep, or (where `depth` is within bounds) too large."""
    if depth > limits.YAML_DEPTH:
        return RenderError(f"nested deeper than {limits.YAML_DEPTH} levels", where=where, code="SS3025")
    return RenderError(f"more than {limits.YAML_NODES} nodes once aliases are expanded", where=where, code="SS3026")


def too_many_documents(name: str) -> RenderError:
    """The error for a file `name` with more than the documents that a file may have."""
    return RenderError(f"more than {limits.YAML_DOCUMENTS} documents", where=name, code="SS3028")
