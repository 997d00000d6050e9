"""Owns what refused dry-runs wait for: a token of each cause that changes when it may have gone. Must not retry.

Read only while something waits for it, and as metadata where that is enough.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.mutators import Kinds
from reconciler.cluster.paths import collection_path, object_path
from reconciler.errors import ApiError
from reconciler.model.ref import KindInfo

METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_NAMESPACES: Final = KindInfo("", "v1", "Namespace", "namespaces", namespaced=False)
_QUOTAS: Final = KindInfo("", "v1", "ResourceQuota", "resourcequotas", namespaced=True)
_LIMITS: Final = KindInfo("", "v1", "LimitRange", "limitranges", namespaced=True)
_RBAC: Final = tuple(
    f"/apis/rbac.authorization.k8s.io/v1/{name}"
    for name in ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
)
_ADMISSION: Final = tuple(
    f"/apis/admissionregistration.k8s.io/v1/{name}"
    for name in (
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    )
)


def read_causes(client: ApiClient, kinds: Kinds, causes: Iterable[str]) -> dict[str, str]:
    """A token for each cause of `refusal.Refusal`; none for those that only time ends, or that cannot be read.

    Raises UnreachableError.
    """
    read: dict[str, Callable[[str], object]] = {
        "namespace": lambda name: _namespace(client, name),
        "kind": lambda name: sorted(key for key in kinds if f"{key[0]}/{key[2]}" == name),
        "quota": lambda name: _items(client, collection_path(_QUOTAS, name)),
        "limits": lambda name: _items(client, collection_path(_LIMITS, name)),
        "right": lambda _: [_versions(client, path, "resourceVersion") for path in _RBAC],
        "policy": lambda _: _admission(client),
        "name": lambda _: _admission(client),
        "webhook": lambda _: _admission(client),
    }
    tokens = {}
    for cause in causes:
        word, _, name = cause.partition(":")
        if word in read:
            try:
                tokens[cause] = _token(read[word](name))
            except ApiError:
                continue
    return tokens


def _admission(client: ApiClient) -> list[object]:
    # By generation: the API server itself keeps writing the status of policies.
    return [_versions(client, path, "generation") for path in _ADMISSION]


def _namespace(client: ApiClient, name: str) -> object:
    try:
        metadata = client.request("GET", object_path(_NAMESPACES, "", name))["metadata"]
    except ApiError as error:
        if error.status != 404:
            raise
        return None
    return metadata.get("uid"), metadata.get("deletionTimestamp")


def _items(client: ApiClient, path: str) -> object:
    items = client.request("GET", path).get("items") or ()
    return [(item["metadata"]["name"], item.get("spec"), item.get("status")) for item in items]


def _versions(client: ApiClient, path: str, field: str) -> object:
    items = client.send("GET", path, accept=METADATA).body.get("items") or ()
    found = [item["metadata"] for item in items]
    return [(one.get("namespace"), one["name"], one.get("uid"), one.get(field)) for one in found]


def _token(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
