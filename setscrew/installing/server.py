"""Owns the requests of an installation to one API server: read, apply, delete, list. Must not choose what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.paths import collection_path, object_path
from reconciler.errors import ApiError
from reconciler.limits import LIST_PAGE_OBJECTS
from reconciler.model.own import API_VERSION, LEVERS
from reconciler.model.ref import KindInfo, ObjectRef, split_api_version
from reconciler.model.tree import Tree
from setscrew.installing.errors import InstallError, OwnedError
from setscrew.installing.objects import MANAGER, Document, ref_of

Outcome = Literal["created", "configured", "unchanged"]

_APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# Fields of these managers are ours to take back: the reconciler's, and those of an earlier installation.
_OURS: Final = "setscrew"
_BUSY_TRIES: Final = 20
_BUSY_SECONDS: Final = 0.5
_WRITTEN_BY_SERVER: Final = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"})


class Server:
    """One API server under one identity. Raises ClusterError, as its client does."""

    def __init__(self, client: ApiClient, pause: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self._pause = pause
        self._discovery: Discovery | None = None

    @property
    def served(self) -> Discovery:
        """What it serves, as it was at the first question or the last `refresh`."""
        if self._discovery is None:
            self._discovery = Discovery(self.client)
        return self._discovery

    def refresh(self) -> None:
        """Ask anew what it serves."""
        self.served.refresh()

    def kind(self, api_version: str, kind: str) -> KindInfo | None:
        """The kind, where it is served."""
        return self.served.kind(*split_api_version(api_version), kind)

    def found(self, group: str, kind: str) -> KindInfo | None:
        """The kind in any version that is served."""
        return next((one for (g, _, k), one in self.served.kinds().items() if (g, k) == (group, kind)), None)

    def read(self, ref: ObjectRef) -> Document | None:
        """The object as it is; None where there is none, or nobody serves its kind."""
        kind = self.found(ref.group, ref.kind)
        return self.get(object_path(kind, ref.namespace, ref.name)) if kind else None

    def get(self, path: str) -> Document | None:
        """What stands at that path, or None."""
        try:
            return self._patient("GET", path)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def _patient(
        self,
        method: str,
        path: str,
        body: Tree = None,
        query: Mapping[str, str | int | bool] | None = None,
        *,
        content_type: str = "application/json",
    ) -> Document:
        """As the client's `request`; what the API server is too busy for, as with a definition that is new, again."""
        for _ in range(_BUSY_TRIES):
            try:
                return self.client.request(method, path, body, query, content_type=content_type)
            except ApiError as error:
                if error.status != 429:
                    raise
                self._pause(max(error.retry_after, _BUSY_SECONDS))
        return self.client.request(method, path, body, query, content_type=content_type)

    def apply(self, tree: Document, *, dry_run: bool = False, force: bool = False) -> tuple[Outcome, Document]:
        """Server-side apply; the object before it, {} if there was none, says what has changed.

        Raises OwnedError for fields that others have set, unless `force`; InstallError for a kind that is not served.
        """
        kind = self.kind(str(tree["apiVersion"]), str(tree["kind"]))
        if kind is None:
            hint = "install its definition first, or choose another overlay"
            raise InstallError("the cluster does not serve this kind", where=str(ref_of(tree)), hint=hint)
        ref = ref_of(tree)
        path = object_path(kind, ref.namespace, ref.name)
        before = self.get(path)
        after = self._applied(path, tree, dry_run=dry_run, force=force)
        if before is None:
            return "created", after
        return ("unchanged" if content(before) == content(after) else "configured"), after

    def _applied(self, path: str, tree: Document, *, dry_run: bool, force: bool) -> Document:
        query: dict[str, str | int | bool] = {"fieldManager": MANAGER, "force": force}
        query |= {"dryRun": "All"} if dry_run else {}
        try:
            return self._patient("PATCH", path, tree, query, content_type=_APPLY)
        except ApiError as error:
            owners = _owners(error)
            if force or not owners:
                raise
            if all(one.startswith(_OURS) for one in owners):
                return self._applied(path, tree, dry_run=dry_run, force=True)
            fields = ", ".join(field for field, reason, _ in error.causes if reason == "FieldManagerConflict")
            hint = "--force-conflicts takes them; or leave them to their owner by removing that change"
            what = f"{fields} was set by {', '.join(sorted(owners))}"
            raise OwnedError(what, where=str(ref_of(tree)), hint=hint) from error

    def delete(self, ref: ObjectRef, *, uid: str = "", grace_seconds: int | None = None) -> bool:
        """Ask for its removal; False where it is not there. Its dependents go with it."""
        kind = self.found(ref.group, ref.kind)
        if kind is None:
            return False
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        options |= {"preconditions": {"uid": uid}} if uid else {}
        options |= {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        try:
            self._patient("DELETE", object_path(kind, ref.namespace, ref.name), options)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def names(self, kind: KindInfo, namespace: str = "", selector: str = "") -> Iterator[Document]:
        """All objects of a kind as `{apiVersion, kind, metadata}`; nothing where it cannot be listed."""
        token = ""
        while True:
            query: dict[str, str | int | bool] = {"limit": LIST_PAGE_OBJECTS}
            query |= {"labelSelector": selector} if selector else {}
            query |= {"continue": token} if token else {}
            try:
                page = self.client.send("GET", collection_path(kind, namespace), query=query, accept=_NAMES_ONLY).body
            except ApiError as error:
                if error.status in (403, 404, 405):
                    return
                raise
            for one in page.get("items") or ():
                yield {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": one["metadata"]}
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return

    def levers(self) -> list[Document]:
        """All GitSource, DriftPolicy and DriftGrant objects, whole."""
        found: list[Document] = []
        for plural, kind in LEVERS.items():
            try:
                page = self._patient("GET", f"/apis/{API_VERSION}/{plural}")
            except ApiError as error:
                if error.status != 404:
                    raise
                continue
            found += ({**one, "apiVersion": API_VERSION, "kind": kind} for one in page.get("items") or ())
        return found


def content(tree: Document) -> Document:
    """What an apply may change of an object: neither status nor what the API server writes."""
    metadata = {key: value for key, value in tree["metadata"].items() if key not in _WRITTEN_BY_SERVER}
    return {**{key: value for key, value in tree.items() if key != "status"}, "metadata": metadata}


def _owners(error: ApiError) -> set[str]:
    """Who has set the fields over which an apply fell out: `conflict with "kubectl-edit" using apps/v1` names them."""
    told = [message for _, reason, message in error.causes if reason == "FieldManagerConflict"]
    return {one.split('"')[1] for one in told if one.count('"') > 1}
