"""Owns `/api/v1/clusters`: how the cluster was last heard of, and what there is in it. Must not ask the cluster.

This server does not speak with the cluster: what it says of it is what the reconciler has noted, and when.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from flask import Blueprint, Response

from reconciler.report.drift import STATES
from reconciler.report.query import Query
from reconciler.report.stale import stale_reason
from webhook.api.access import Scope, scope
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.report import envelope, known_only, listed

Reach = Literal["reached", "partly", "unknown"]
"""`reached`: changes of all guarded kinds are known up to now; `partly`: of some they are not; `unknown`: of none."""

REACHES: Final[tuple[Reach, ...]] = ("reached", "partly", "unknown")
_STATES: Final = tuple(one for one in STATES if one != "in-sync")
_SOME: Final = "changes of some kinds are not known"


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """Its one route."""
    routes = Blueprint("clusters", __name__, url_prefix="/api/v1/clusters")

    @routes.get("")
    def clusters() -> Response:
        known_only(())
        return listed("ClusterList", [_cluster(state, settings, scope())], settings)

    return routes


def _cluster(state: ApiState, settings: ApiSettings, mine: Scope) -> dict[str, Any]:
    with state.matching(Query(limit=None, scope=mine)) as found:
        observed, counts = state.observed(), found.counts
    silent = stale_reason(observed.observed_at, settings.now(), current_at=observed.current_at)
    reach: Reach = "unknown" if silent else "partly" if observed.unwatched else "reached"
    report = envelope(state, settings, counts, mine).as_json()
    told = report["metadata"]
    return {
        "name": settings.cluster,
        "reach": reach,
        "reason": silent or (_SOME if reach == "partly" else ""),
        "kubernetes": state.kubernetes(),
        **{key: told[key] for key in ("observedAt", "currentAt", "stale", "staleReason")},
        # A reader of some namespaces is told of these.
        "unwatched": dict(observed.unwatched) if mine is None else {},
        "counts": {key: report["summary"][key] for key in ("managed", "total", *_STATES)},
    }
