"""Owns how an object that is as Git says stands in a report beside those that are not. Pure; decides nothing.

Such an object is kept nowhere but as one that is guarded, so that no more is said of it than what that tells.
"""

from __future__ import annotations

from typing import Any, Final

from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DriftItem, finding_id, sha256
from reconciler.report.query import IN_SYNC, OF_FINDINGS, Query

_TOLD: Final = ("id", "fingerprint", "cluster", "apiVersion", "kind", "namespace", "name", "state", "severity")


def in_sync_item(ref: ObjectRef, source: str, *, adopted: bool, cluster: str) -> dict[str, Any]:
    """As JSON: the keys of a finding that are known, and `group`, for nobody noted the version."""
    identity = finding_id(ref, cluster)
    item = DriftItem(
        id=identity,
        fingerprint=sha256([identity, IN_SYNC]),
        api_version="" if ref.group else "v1",
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        state="in-sync",
        cluster=cluster,
        severity="info",
    ).as_json()
    told = {name: item[name] for name in _TOLD}
    return told | {"group": ref.group, "source": {"name": source}, "adopted": adopted}


def asks_for_all(query: Query) -> bool:
    """True where objects in sync belong into a report of tests: all that is guarded is asked for, in sync or not."""
    asked = {name for name, _ in query.asked}
    return query.limit is None and not asked & {"state", *OF_FINDINGS} and not query.holds
