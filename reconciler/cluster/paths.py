"""Owns the URLs of objects and lists. Must not send anything."""

from __future__ import annotations

from urllib.parse import quote

from reconciler.model.ref import KindInfo


def collection_path(kind: KindInfo, namespace: str = "") -> str:
    """`/apis/apps/v1/namespaces/shop/deployments`; without a namespace the list over all of them."""
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    scope = f"/namespaces/{_segment(namespace)}" if kind.namespaced and namespace else ""
    return f"{root}{scope}/{kind.resource}"


def object_path(kind: KindInfo, namespace: str, name: str) -> str:
    """`/apis/apps/v1/namespaces/shop/deployments/web`."""
    return f"{collection_path(kind, namespace)}/{_segment(name)}"


def _segment(text: str) -> str:
    # Names come from Git: quoted, neither a slash nor a dot segment can reach another resource.
    quoted = quote(text, safe=":")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")
