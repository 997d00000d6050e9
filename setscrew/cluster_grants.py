"""Owns grants as objects of a cluster, made and ended under the caller's own identity. Must not decide who may.

Every replica follows the objects, and the leader says in their status what has become of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import collection_path, object_path
from reconciler.errors import ApiError, UsageError
from reconciler.limits import GRANT_ANSWER_SECONDS
from reconciler.model.own import API_VERSION
from reconciler.model.tree import Tree, dig
from reconciler.policy.grant import Grant
from reconciler.policy.granting import parse_grant
from reconciler.policy.model import GrantRules
from setscrew.grants import Document
from setscrew.incluster.configured import read_objects
from setscrew.incluster.grant_objects import Read, grants_of
from setscrew.incluster.objects import GRANT, Fault, key_of
from setscrew.incluster.statuses import REFUSED
from setscrew.incluster.writing import KINDS

# Which rules hold there, the leader knows: its status says so where a grant is not allowed.
_ANY: Final = GrantRules(self_approval="Allow")
_MERGE: Final = "application/merge-patch+json"
_POLL_SECONDS: Final = 0.25


def create(client: ApiClient, documents: Iterable[Document], now: float) -> list[Grant]:
    """Make an object of each document; all of them are read before the first is made.

    Raises UsageError for what is wrong, ClusterError where the API server or the guard refuses.
    """
    asked = [(parse_grant(tree, where, _ANY, now), tree) for where, tree in documents]
    for grant, tree in asked:
        body = {"apiVersion": API_VERSION, "kind": GRANT, "metadata": {"name": grant.id}, "spec": _plain(tree["spec"])}
        try:
            client.request("POST", collection_path(KINDS[GRANT]), body)
        except ApiError as error:
            if error.status != 409:
                raise
            hint = "give it another name"
            raise UsageError(f"there is a {GRANT} {grant.id!r} in the cluster already", hint=hint) from error
    return [grant for grant, _ in asked]


def read(client: ApiClient, now: float) -> Read:
    """What the objects grant, and why others grant nothing. Raises ClusterError."""
    trees = {key_of(tree)[1]: tree for tree in read_objects(client, GRANT)}
    found = grants_of(trees.values(), _ANY, now)
    refused = {name: said for name, tree in trees.items() if (said := _said(tree)).startswith(REFUSED)}
    grants = {name: grant for name, grant in found.grants.items() if name not in refused}
    return Read(grants, {**found.faults, **{name: Fault(REFUSED, said) for name, said in refused.items()}})


def revoke(client: ApiClient, name: str, reason: str) -> None:
    """End a grant at once, in every replica. Raises UsageError for one that is not there, ClusterError."""
    patch = {"spec": {"revoked": reason or "revoked"}}
    try:
        client.request("PATCH", object_path(KINDS[GRANT], "", name), patch, content_type=_MERGE)
    except ApiError as error:
        if error.status != 404:
            raise
        raise UsageError(f"there is no {GRANT} {name!r} in the cluster", hint="see `setscrew grant list`") from error


def answered(client: ApiClient, name: str, pause: Callable[[float], None] = time.sleep) -> str:
    """What Setscrew itself says of a grant: its state, with the reason where it is refused; "" for nothing so far."""
    for _ in range(int(GRANT_ANSWER_SECONDS / _POLL_SECONDS)):
        found = client.request("GET", object_path(KINDS[GRANT], "", name))
        if said := _said(found):
            return said
        pause(_POLL_SECONDS)
    return ""


def _said(tree: Tree) -> str:
    state = dig(tree, "status", "state")
    if state != REFUSED:
        return state if isinstance(state, str) else ""
    conditions = dig(tree, "status", "conditions")
    messages = [str(dig(one, "message")) for one in conditions] if isinstance(conditions, list) else []
    return ": ".join([state, *messages[:1]])


def _plain(spec: Any) -> Any:
    """YAML has a type of its own for instants, JSON has not."""
    if isinstance(spec, Mapping):
        return {key: _plain(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_plain(value) for value in spec]
    return spec.isoformat() if isinstance(spec, datetime) else spec
