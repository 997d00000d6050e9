"""Owns the facts of an installation where all is well, for tests that change one of them. Must not judge."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.cluster.calls import Calls
from reconciler.model.own import CANONICALIZER
from reconciler.snapshot.model import MemorySnapshot, SourceState
from reconciler.store.schema import SCHEMA_VERSION
from setscrew.doctor.facts import Asked, Disk, Facts, Held, Running, Served, Server, Stored, Try
from setscrew.doctor.finding import Missing
from tests.support.small_snapshot import snapshot_of
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.places import Guarded
from webhook.tls.lifetime import Validity

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
AT = "2030-01-02T12:00:00Z"
URL = "https://127.0.0.1:8443"
BUNDLE = b"-----BEGIN CERTIFICATE-----\nours\n"
SNAPSHOT = replace(
    snapshot_of("Deployment", "ConfigMap"), sources={"shop": SourceState("shop", "url", "path", "revision", "commit")}
)
LEAF = Validity(NOON - timedelta(days=1), NOON + timedelta(days=6), frozenset({"127.0.0.1", "localhost"}))
SOURCE = {"name": "shop", "state": "Ready", "since": AT, "message": ""}
WATCHES = {name: {"state": word, "at": AT} for name, word in (("canary", "sees"), ("failOpen", "counted"))}


def registered(snapshot: MemorySnapshot = SNAPSHOT) -> dict[str, Any]:
    """What the API server holds for a snapshot."""
    document = build(map(Guarded.of, snapshot.entries), UrlClient(URL), BUNDLE, CANONICALIZER)
    return {**document, "metadata": {**document["metadata"], "managedFields": []}}


def edited(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The same after somebody's change."""
    live = copy.deepcopy(registered())
    change(live)
    return live


def held(account: bool = True, policy: Any = None, binding: Any = None) -> Held:
    """A service account of ours, held by a policy that is bound; the two specs may be changed."""
    right = {"failurePolicy": "Fail", "validations": [{}], **(policy or {})}
    bound = {"policyName": "setscrew-canary", "validationActions": ["Deny"], **(binding or {})}
    return Held(account, {"spec": right}, {"spec": bound})


def served(version: str = "v1.36.3", snapshot: MemorySnapshot = SNAPSHOT) -> Served:
    """An API server that serves all kinds of a snapshot."""
    kinds = [entry.object.kind for entry in snapshot.entries]
    return Served(version, frozenset((kind.group, kind.version, kind.kind) for kind in kinds))


HEALTHY = Facts(
    now=NOON,
    server=Server(URL, 200, leaf=LEAF),
    files=(),
    registration=registered(),
    trust={entry["clientConfig"]["caBundle"]: "" for entry in registered()["webhooks"]},
    tries=(Try("apps-v1.guard.setscrew.dev", "Deployment.apps shop/one", "sees"),),
    calls=Calls(10),
    skew=0.0,
    asked=Asked("system:serviceaccount:setscrew-system:setscrew-reconciler"),
    held={"setscrew-canary": held()},
    served=served(),
    snapshot=SNAPSHOT,
    published=NOON,
    schema=SCHEMA_VERSION,
    stored=Stored((SOURCE,), WATCHES, (), AT),
    running=Running(True, True, 1),
    disk=Disk(50 * 1024**3, 100 * 1024**3),
    url=URL,
)


def nothing(why: str = "nobody was asked", fix: str = "ask") -> Facts:
    """Facts of which none could be learned."""
    missing = {one.name: Missing(why, fix) for one in fields(Facts) if "Missing" in str(one.type)}
    return replace(HEALTHY, **missing)  # type: ignore[arg-type] # each of them may be missing
