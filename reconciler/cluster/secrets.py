"""Owns Secrets and ConfigMaps as keys: read by name, and as documents to be sent. Must not keep, log or quote any."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, Literal

from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import get_live
from reconciler.cluster.paths import collection_path
from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree

_KINDS: Final = {
    "Secret": KindInfo("", "v1", "Secret", "secrets", True),
    "ConfigMap": KindInfo("", "v1", "ConfigMap", "configmaps", True),
}


def read_keys(client: ApiClient, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
    """The keys of one Secret or ConfigMap, decoded; None where it is absent.

    Raises ClusterError. A key that is not base64 is left out: the API server would not have taken it.
    """
    tree = get_live(client, _KINDS[kind], namespace, name)
    if tree is None:
        return None
    data: Mapping[str, Any] = tree.get("data") or {}
    if kind == "ConfigMap":
        binary = {key: _decoded(value) for key, value in (tree.get("binaryData") or {}).items()}
        return binary | {key: str(value).encode() for key, value in data.items()}
    return decoded_data(tree)


def document(
    kind: Literal["Secret", "ConfigMap"], namespace: str, name: str, data: Mapping[str, bytes]
) -> dict[str, Any]:
    """A Secret, or a ConfigMap of texts, to be created."""
    texts = {key: one.decode() if kind == "ConfigMap" else encoded(one) for key, one in data.items()}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": texts}


def encoded(data: bytes) -> str:
    """As a Secret holds it."""
    return base64.b64encode(data).decode("ascii")


def decoded_data(secret: Tree) -> dict[str, bytes]:
    """The keys of a Secret as the API server hands it out."""
    return {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}


def list_labelled(client: ApiClient, kind: str, label: str) -> list[Tree]:
    """The Secrets or ConfigMaps of all namespaces that carry a label of this name. Raises ClusterError."""
    path = collection_path(_KINDS[kind])
    return list(client.request("GET", path, query={"labelSelector": label}).get("items") or ())


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error:
        return b""
