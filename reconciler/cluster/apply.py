"""Owns the writes that put objects back. Must not choose what is written, nor repeat a write that may have arrived."""

from __future__ import annotations

from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import collection_path, object_path
from reconciler.heal.owned import MANAGER
from reconciler.heal.plan import Correction
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree

_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_JSON_PATCH: Final = "application/json-patch+json"
_DRY_RUN: Final = {"dryRun": "All"}


def write(client: ApiClient, kind: KindInfo, ref: ObjectRef, correction: Correction, *, dry_run: bool) -> Tree:
    """The object as it is afterwards, or would be (`dry_run`). Raises ClusterError.

    Apply is forced: whoever holds another value loses that field, and nothing else.
    """
    query = {"fieldManager": MANAGER, **(_DRY_RUN if dry_run else {})}
    if correction.verb == "create":
        return client.request("POST", collection_path(kind, ref.namespace), correction.body, query)
    path = object_path(kind, ref.namespace, ref.name)
    if correction.verb == "apply":
        return client.request("PATCH", path, correction.body, {**query, "force": True}, content_type=_APPLY)
    return client.request("PATCH", path, correction.body, query, content_type=_JSON_PATCH)
