"""Owns what at the API server decides forms beside the objects themselves: version, schemas, mutators, defaults.

Read with a handful of list calls, never per object. Must not dry-run, nor judge whom to trust.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery, openapi_index
from reconciler.cluster.mutators import Kinds, Mutator, read_mutators
from reconciler.limits import SERVER_SETTLE_SECONDS
from reconciler.model.ref import KindInfo

_LIMITED: Final = ("", "Pod")
# Where the objects stand one of which is used where an object of that kind names none.
_CLASSES: Final[Mapping[tuple[str, str], str]] = {
    _LIMITED: "/apis/scheduling.k8s.io/v1/priorityclasses",
    ("", "PersistentVolumeClaim"): "/apis/storage.k8s.io/v1/storageclasses",
    ("networking.k8s.io", "Ingress"): "/apis/networking.k8s.io/v1/ingressclasses",
}
_DEFAULT_MARKS: Final = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
    "ingressclass.kubernetes.io/is-default-class",
)


@dataclass(frozen=True, slots=True)
class ServerState:
    """One look at the API server. `schemas` maps `apps/v1` to a digest of its types; `lent` holds digests of defaults.

    Keys of `lent` are (group, kind, namespace); the namespace is "" for defaults of the whole cluster.
    """

    version: str = ""
    schemas: Mapping[str, str] = field(default_factory=dict)
    mutators: tuple[Mutator, ...] = ()
    lent: Mapping[tuple[str, str, str], str] = field(default_factory=dict)

    def facts(self, kind: KindInfo, namespace: str) -> list[str]:
        """What decides forms of `kind` in `namespace`, mutators excepted."""
        places = ((kind.group, kind.kind, ""), (kind.group, kind.kind, namespace))
        return [self.version, self.schemas.get(kind.api_version, ""), *(self.lent.get(place, "") for place in places)]


@dataclass(slots=True)
class Server:
    """Looks at one API server, and knows whether it has been for a while as it is. Raises ClusterError.

    Without a client there is nothing to see, and nothing changes.
    """

    client: ApiClient | None
    discovery: Discovery | None
    state: ServerState = field(default_factory=ServerState)
    _since: float = 0.0

    def look(self, now: float, limited: Collection[str]) -> bool:
        """Look again; True if anything has changed since the last time. With it, kinds and types are read anew.

        `limited` are namespaces of declared Pods: LimitRanges of others, which come and go, are nothing to us.
        """
        if self.client is None or self.discovery is None:
            return False
        state = read_state(self.client, self.discovery.kinds(), limited)
        if state == self.state:
            return False
        if self.state != ServerState():
            self._since = now
            self.discovery.refresh()
        self.state = state
        return True

    def settled(self, now: float) -> bool:
        """Whether the last change is in force everywhere: too early an answer is still that of before, and kept."""
        return now >= self._since + SERVER_SETTLE_SECONDS

    def unchanged(self) -> bool:
        """Whether mutating admission is as it was at the last look."""
        if self.client is None or self.discovery is None:
            return True
        return read_mutators(self.client, self.discovery.kinds()) == self.state.mutators

    def types(self, api_versions: Iterable[str]) -> tuple[frozenset[object], frozenset[str]]:
        """What the offline form of an object depends on: the kinds that are served, and the types of these versions."""
        kinds = frozenset(self.discovery.kinds()) if self.discovery is not None else frozenset()
        return kinds, frozenset(self.state.schemas.get(version, "") for version in api_versions)


def read_state(client: ApiClient, kinds: Kinds, limited: Collection[str]) -> ServerState:
    """Look at the server of `client`, which serves `kinds`, and at LimitRanges of `limited`. Raises ClusterError."""
    version = str(client.request("GET", "/version").get("gitVersion", ""))
    return ServerState(version, _schemas(client), read_mutators(client, kinds), _lent(client, limited))


def _schemas(client: ApiClient) -> dict[str, str]:
    """By group and version: the URL of its types, which carries a hash of them."""
    return {name.partition("/")[2]: url for name, url in openapi_index(client).items()}


def _lent(client: ApiClient, limited: Collection[str]) -> dict[tuple[str, str, str], str]:
    lent = {(*kind, ""): _digest(_defaults(client, path)) for kind, path in _CLASSES.items()}
    ranges: dict[str, list[Any]] = {}
    for item in client.request("GET", "/api/v1/limitranges").get("items") or () if limited else ():
        ranges.setdefault(item["metadata"]["namespace"], []).append([item["metadata"]["name"], item.get("spec")])
    return lent | {(*_LIMITED, name): _digest(found) for name, found in ranges.items() if name in limited}


def _defaults(client: ApiClient, path: str) -> list[Any]:
    """The classes that are marked as the default, with what they say."""
    found = []
    for item in client.request("GET", path).get("items") or ():
        marks = item["metadata"].get("annotations") or {}
        if item.get("globalDefault") or any(marks.get(mark) == "true" for mark in _DEFAULT_MARKS):
            said = {key: value for key, value in item.items() if key not in ("metadata", "status")}
            found.append([item["metadata"]["name"], item["metadata"].get("creationTimestamp"), said])
    return found


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
