"""Owns the Secrets of published snapshots: read, create, replace, delete. Must not know what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.secrets import decoded_data, document
from reconciler.errors import ApiError
from reconciler.limits import LIST_PAGE_OBJECTS
from reconciler.model.own import MANIFEST, SNAPSHOT_TYPE, SNAPSHOTS_NAMESPACE

COLLECTION: Final = f"/api/v1/namespaces/{SNAPSHOTS_NAMESPACE}/secrets"
_META_LIST: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
_DATA: Final = "data"
_SIGNATURE: Final = "signature"


@dataclass(frozen=True, slots=True)
class Signed:
    """The manifest as it is stored; `version` is its resourceVersion."""

    data: bytes
    signature: bytes
    version: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """The Secrets of one installation. Every method raises ClusterError where the API server cannot be asked."""

    client: ApiClient

    def manifest(self) -> Signed | None:
        """What stands there, None for nothing; whatever somebody wrote in its place is one with a wrong signature."""
        tree = self._get(MANIFEST)
        if tree is None:
            return None
        data = decoded_data(tree)
        return Signed(data.get(_DATA, b""), data.get(_SIGNATURE, b""), str(tree["metadata"]["resourceVersion"]))

    def put_manifest(self, data: bytes, signature: bytes, version: str) -> str:
        """Replace the manifest that had this resourceVersion ("": there was none); its new resourceVersion.

        Raises ApiError with status 409 where somebody else was faster.
        """
        body = _secret(MANIFEST, {_DATA: data, _SIGNATURE: signature})
        if not version:
            made = self.client.request("POST", COLLECTION, body)
        else:
            body["metadata"]["resourceVersion"] = version
            try:
                made = self.client.request("PUT", f"{COLLECTION}/{MANIFEST}", body)
            except ApiError as error:
                if error.status != 422:  # of another type, or made immutable: it cannot be replaced
                    raise
                self.delete(MANIFEST, version)
                del body["metadata"]["resourceVersion"]
                made = self.client.request("POST", COLLECTION, body)
        return str(made["metadata"]["resourceVersion"])

    def chunk(self, name: str) -> bytes | None:
        """The content of a chunk, None where there is none."""
        tree = self._get(name)
        return None if tree is None else decoded_data(tree).get(_DATA, b"")

    def put_chunk(self, name: str, data: bytes) -> str:
        """Create a chunk, in place of whatever somebody else has put there; its resourceVersion."""
        body = {**_secret(name, {_DATA: data}), "immutable": True}
        try:
            made = self.client.request("POST", COLLECTION, body)
        except ApiError as error:
            if error.status != 409:
                raise
            self.delete(name)
            made = self.client.request("POST", COLLECTION, body)
        return str(made["metadata"]["resourceVersion"])

    def delete(self, name: str, version: str = "") -> None:
        """Delete one, if it still has this resourceVersion; one that is gone is no error."""
        body = {"preconditions": {"resourceVersion": version}} if version else None
        try:
            self.client.request("DELETE", f"{COLLECTION}/{name}", body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def versions(self) -> dict[str, str]:
        """The resourceVersion of each Secret of our type, by name; none of what they hold is read."""
        found, token = dict[str, str](), ""
        while True:
            query: dict[str, str | int | bool] = {"fieldSelector": f"type={SNAPSHOT_TYPE}", "limit": LIST_PAGE_OBJECTS}
            page = self.client.send(
                "GET", COLLECTION, query=query | ({"continue": token} if token else {}), accept=_META_LIST
            ).body
            found |= _named(page.get("items") or ())
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return found

    def _get(self, name: str) -> dict[str, Any] | None:
        try:
            return self.client.request("GET", f"{COLLECTION}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise


def _named(items: Iterable[Any]) -> dict[str, str]:
    return {str(one["metadata"]["name"]): str(one["metadata"]["resourceVersion"]) for one in items}


def _secret(name: str, data: Mapping[str, bytes]) -> dict[str, Any]:
    return {**document("Secret", SNAPSHOTS_NAMESPACE, name, data), "type": SNAPSHOT_TYPE}
