"""Owns what Git declares of an object, as a whole and as the report may show it. Must not read a store.

A finding holds the fields that differ; here is the rest. It is masked by the same rules, and more strictly where these
go by place: of a Secret only what findings may show of it is left.
"""

from __future__ import annotations

from typing import Any

from reconciler.compare.mask import masked
from reconciler.model.path import Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.report.item import concealed
from reconciler.report.printable import printable


def whole_object(ref: ObjectRef, api_version: str, tree: Tree) -> dict[str, Any]:
    """The object for eyes: values of Secrets `***`, long texts and lists cut. `tree` is canonical, or as it was read.

    What names the object is taken from `ref` and `api_version`: a canonical form need not hold it.
    """
    held = tree if isinstance(tree, dict) else {}
    parts = {key: _shown(ref, (key,), value) for key, value in held.items() if key not in {"apiVersion", "kind"}}
    metadata = held.get("metadata")
    told = metadata.items() if isinstance(metadata, dict) else ()
    parts["metadata"] = {key: _shown(ref, ("metadata", key), value) for key, value in told}
    parts["metadata"] |= {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
    return {"apiVersion": api_version, "kind": ref.kind, **parts}


def _shown(ref: ObjectRef, path: Path, value: Tree) -> Tree:
    return printable(concealed(ref, path, value if value is ABSENT else masked(value, path)))
