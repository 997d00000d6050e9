"""Owns reading live objects, at the version that Git declares. Must not judge them.

Kinds or namespaces that cannot be read are named, never left out in silence: an object that was not seen is not an
object that is not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import collection_path, object_path
from reconciler.cluster.refusal import told
from reconciler.errors import ApiError, ClusterError, UnreachableError
from reconciler.limits import LIST_FROM_OBJECTS, LIST_PAGE_OBJECTS, READS_IN_FLIGHT
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree


@dataclass(slots=True)
class Live:
    """Objects found, and what could not be read: `unread` maps `apps/v1 deployments` (and namespace) to the reason.

    `unseen` holds the refs that were asked for by name but could not be read; a ref in neither place is absent.
    """

    objects: dict[ObjectRef, Tree] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    unseen: dict[ObjectRef, str] = field(default_factory=dict)

    def keep(self, kind: KindInfo, tree: Tree) -> None:
        """Add one object; items of lists name neither apiVersion nor kind, so both are set."""
        metadata = tree.get("metadata") or {}
        ref = ObjectRef(kind.group, kind.kind, str(metadata.get("namespace") or ""), str(metadata.get("name") or ""))
        self.objects[ref] = {**tree, "apiVersion": kind.api_version, "kind": kind.kind}


def list_live(client: ApiClient, kinds: Iterable[KindInfo], namespace: str = "") -> Live:
    """All objects of `kinds`, in one namespace or all. Raises `UnreachableError`."""
    live = Live()
    for kind in kinds:
        _list_into(live, client, kind, namespace if kind.namespaced else "")
    return live


def read_live(
    client: ApiClient, wanted: Iterable[tuple[ObjectRef, KindInfo]], one_by_one: int = LIST_FROM_OBJECTS
) -> Live:
    """The named objects that exist; more than `one_by_one` of a kind and namespace by a list. `UnreachableError`."""
    groups: defaultdict[tuple[KindInfo, str], set[ObjectRef]] = defaultdict(set)
    for ref, kind in wanted:
        groups[kind, ref.namespace].add(ref)
    live, single = Live(), list[tuple[KindInfo, ObjectRef]]()
    for (kind, namespace), refs in groups.items():
        if not (len(refs) > one_by_one and _list_into(live, client, kind, namespace, refs)):
            single += ((kind, ref) for ref in sorted(refs))
    _get_into(live, client, single)
    return live


def get_live(client: ApiClient, kind: KindInfo, namespace: str, name: str) -> dict[str, Any] | None:
    """One object, or None where it is absent. Raises `UnreachableError` and `ApiError` (not for 404)."""
    try:
        return client.request("GET", object_path(kind, namespace, name))
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _get_into(live: Live, client: ApiClient, wanted: list[tuple[KindInfo, ObjectRef]]) -> None:
    for (kind, ref), answer in zip(wanted, _answers(client, wanted), strict=True):
        if isinstance(answer, ClusterError):
            live.unseen[ref] = told(answer)
        elif answer is not None:
            live.keep(kind, answer)


def _answers(
    client: ApiClient, wanted: list[tuple[KindInfo, ObjectRef]]
) -> Iterator[dict[str, Any] | ClusterError | None]:
    """In order; several requests are under way, for most of the time each only waits."""
    if len(wanted) < READS_IN_FLIGHT:
        yield from map(partial(_answer, client), wanted)
        return
    with ThreadPoolExecutor(READS_IN_FLIGHT) as pool:
        yield from pool.map(partial(_answer, client), wanted)


def _answer(client: ApiClient, wanted: tuple[KindInfo, ObjectRef]) -> dict[str, Any] | ClusterError | None:
    kind, ref = wanted
    try:
        return get_live(client, kind, ref.namespace, ref.name)
    except UnreachableError:
        raise
    except ClusterError as error:
        return error


def _list_into(
    live: Live, client: ApiClient, kind: KindInfo, namespace: str, only: set[ObjectRef] | None = None
) -> bool:
    """Whether the list could be read; objects other than `only` are let go page by page."""
    found = Live()
    try:
        for tree in _pages(client, collection_path(kind, namespace)):
            found.keep(kind, tree)
            if only is not None and (ref := next(reversed(found.objects))) not in only:
                del found.objects[ref]
    except UnreachableError:
        raise
    except ClusterError as error:
        if isinstance(error, ApiError) and error.status == 404:
            return True  # the kind is not served: none of its objects exists
        if only is None:
            place = f" in {namespace}" if namespace else ""
            live.unread[f"{kind.api_version} {kind.resource}{place}"] = told(error)
        return False
    live.objects.update(found.objects)
    return True


def _pages(client: ApiClient, path: str) -> Iterator[Tree]:
    """The items of a list; begins again where the API server has forgotten the list between two pages (410)."""
    token, restarts = "", 0
    while True:
        query: dict[str, str | int | bool] = {"limit": LIST_PAGE_OBJECTS}
        if token:
            query["continue"] = token
        try:
            page = client.request("GET", path, query=query)
        except ApiError as error:
            if error.status != 410 or restarts == 3:
                raise
            token, restarts = "", restarts + 1
            continue
        yield from page.get("items") or ()
        token = str((page.get("metadata") or {}).get("continue") or "")
        if not token:
            return
