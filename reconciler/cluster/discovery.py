"""Owns what a live API server serves: kinds, their subresources and types. Must not read objects other than CRDs.

Kinds come from aggregated discovery, from the older endpoints where that is missing. An APIService whose server is
down hides its group only; `unavailable` names it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.groups import Served, read_aggregated, read_resources
from reconciler.cluster.refusal import told
from reconciler.errors import ApiError
from reconciler.model.ref import KindInfo
from reconciler.schema.builtin import Builtin
from reconciler.schema.crd import crd_kinds
from reconciler.schema.fill import Known
from reconciler.schema.openapi import UNTYPED, SchemaReader, kind_schemas
from reconciler.schema.types import TypeNode

GroupVersionKind = tuple[str, str, str]

_AGGREGATED: Final = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")
)
_ACCEPT: Final = f"{_AGGREGATED},application/json"
# The groups whose scale is always at this place; for all others the CRD says where.
_BUILTIN_SCALE: Final = frozenset({"", "apps", "extensions"})
# Names alone: the schemas of all CRDs together are megabytes.
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Discovery:
    """The kinds and types of one API server, read at once and again at each `refresh`; safe to share between threads.

    `version` is that of the server (`v1.36.3`), `unavailable` maps groups whose server is down to the reason.

    `builtin` lends what it knows of defaults to a server of the same minor version: another may fill in other values.
    Raises `UnreachableError` and `ApiError` from the constructor, `refresh` and `types`.
    """

    def __init__(self, client: ApiClient, builtin: Builtin | None = None) -> None:
        self._client = client
        self._builtin = builtin
        self._known: Mapping[str, Known] | None = None
        self._custom: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._documents: dict[str, _Document] = {}
        self._index: Mapping[str, str] = {}
        self._kinds: Mapping[GroupVersionKind, KindInfo] = {}
        self.unavailable: Mapping[str, str] = {}
        self.version = ""
        self.refresh()

    def kinds(self) -> Mapping[GroupVersionKind, KindInfo]:
        """All served kinds that can be read, by (group, version, kind)."""
        return self._kinds

    def kind(self, group: str, version: str, kind: str) -> KindInfo | None:
        """The kind in this version, or None where it is not served."""
        return self._kinds.get((group, version, kind))

    @property
    def seen(self) -> tuple[object, ...]:
        """What all its answers follow from: while it is equal, so are they."""
        with self._lock:
            return self.version, dict(self._kinds), dict(self._index), self._custom

    def refresh(self) -> None:
        """Read kinds and the index of types again, so that new CRDs are seen; unchanged types stay in memory."""
        served = _served(self._client)
        kinds = {(kind.group, kind.version, kind.kind): kind for kind in _with_scale(self._client, served.kinds)}
        index = openapi_index(self._client)
        custom = _crd_names(self._client)
        self.version = _version(self._client)
        known = self._lent()
        with self._lock:
            self._kinds, self._index = MappingProxyType(kinds), index
            if (known, custom) != (self._known, self._custom):
                self._documents.clear()
            self._known, self._custom = known, custom
            self.unavailable = MappingProxyType(dict(served.unavailable))
            self._documents = {url: kept for url, kept in self._documents.items() if url in set(index.values())}

    def types(self, group: str, version: str, kind: str) -> TypeNode:
        """The type of the kind; only metadata is typed where the API server publishes no schema for it."""
        url = self._index.get(f"apis/{group}/{version}" if group else f"api/{version}")
        if url is None:
            return UNTYPED
        with self._lock:
            document = self._documents.get(url)
        if document is None:
            # Two threads may fetch the same document once each: better than all waiting for one slow answer.
            document = self._read(url)
            with self._lock:
                self._documents[url] = document
        return document.types.get((group, version, kind), UNTYPED)

    def _lent(self) -> Mapping[str, Known] | None:
        if self._builtin is None:
            return None
        return self._builtin.known if _minor(self.version) == _minor(self._builtin.version) else {}

    def _read(self, url: str) -> _Document:
        schemas = (self._client.request("GET", url).get("components") or {}).get("schemas") or {}
        names = kind_schemas(schemas)
        builtin, custom = SchemaReader(schemas, self._known), SchemaReader(schemas, custom=True)
        readers = {gvk: custom if self._is_custom(gvk) else builtin for gvk in names}
        return _Document({gvk: readers[gvk].kind(name) for gvk, name in names.items()})

    def _is_custom(self, gvk: GroupVersionKind) -> bool:
        info = self._kinds.get(gvk)
        return info is not None and f"{info.resource}.{info.group}" in self._custom


@dataclass(frozen=True, slots=True)
class _Document:
    """The types of one group and version; the schemas themselves, megabytes of prose, are let go."""

    types: Mapping[GroupVersionKind, TypeNode]


def _served(client: ApiClient) -> Served:
    out = Served()
    for path in ("/api", "/apis"):
        body = client.send("GET", path, accept=_ACCEPT).body
        if body.get("kind") == "APIGroupDiscoveryList":
            read_aggregated(body, out)
        else:
            _read_one_by_one(client, body, out)
    return out


def _read_one_by_one(client: ApiClient, body: Mapping[str, Any], out: Served) -> None:
    """The way of API servers without aggregated discovery: one request for each group and version."""
    names = [str(version) for version in body.get("versions") or ()]
    for group in body.get("groups") or ():
        names += [str(version["groupVersion"]) for version in group.get("versions") or ()]
    for name in names:
        path = f"/apis/{name}" if "/" in name else f"/api/{name}"
        try:
            read_resources(name, client.request("GET", path), out)
        except ApiError as error:
            out.unavailable[name] = told(error)


def _with_scale(client: ApiClient, kinds: list[KindInfo]) -> list[KindInfo]:
    """The kinds with their replicas paths; the CRD is asked where a custom resource has a scale subresource."""
    paths: dict[tuple[str, str], Mapping[str, str]] = {}
    out = []
    for kind in kinds:
        if "scale" not in kind.subresources:
            out.append(kind)
        elif kind.group in _BUILTIN_SCALE:
            out.append(replace(kind, replicas_path="/spec/replicas"))
        else:
            key = (kind.group, kind.resource)
            if key not in paths:
                paths[key] = _crd_scale(client, f"{kind.resource}.{kind.group}")
            out.append(replace(kind, replicas_path=paths[key].get(kind.version, "")))
    return out


def _crd_scale(client: ApiClient, name: str) -> Mapping[str, str]:
    try:
        crd = client.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    except ApiError:
        # Served by an aggregated API server, or not readable: nobody says where its replicas stand.
        return {}
    return {kind.version: kind.replicas_path for kind in crd_kinds(crd)}


def _crd_names(client: ApiClient) -> frozenset[str]:
    """`widgets.example.org` …; none where they may not be listed: what nobody knows to be custom stays open."""
    try:
        crds = client.send("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", accept=_METADATA_ONLY)
    except ApiError:
        return frozenset()
    return frozenset(str(item["metadata"]["name"]) for item in crds.body.get("items") or ())


def _version(client: ApiClient) -> str:
    """`v1.36.3`; "" where it may not be read."""
    try:
        return str(client.request("GET", "/version").get("gitVersion", ""))
    except ApiError:
        return ""


def _minor(version: str) -> list[str]:
    return version.removeprefix("v").split(".")[:2]


def openapi_index(client: ApiClient) -> Mapping[str, str]:
    """`apis/apps/v1` → where its types are published; empty where there is no OpenAPI v3. Raises `ApiError`."""
    try:
        paths = client.request("GET", "/openapi/v3").get("paths") or {}
    except ApiError as error:
        if error.status != 404:
            raise
        return {}
    # The URL carries a hash of its content, which makes it the cache key.
    return {str(name): str(entry["serverRelativeURL"]) for name, entry in paths.items()}
