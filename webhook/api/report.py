"""Owns the read-only endpoints: drift, sources, decisions. Must not compute findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from flask.json import dumps

from reconciler.limits import REPORT_PAGE, REPORT_PAGE_MAX
from reconciler.model.instant import stamp
from reconciler.model.own import API_VERSION
from reconciler.report.drift import STATES, DriftReport, stale_reason
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.problems import Problem

DRIFT_FILTERS = ("namespace", "kind", "name", "source", "state")
DECISION_FILTERS = ("namespace", "kind", "name", "code", "user", "source", "policy")


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """`/api/v1`."""
    routes = Blueprint("report", __name__, url_prefix="/api/v1")

    @routes.get("/drift")
    def drift() -> Response:
        filters, limit = query(request.args, DRIFT_FILTERS)
        report = drift_report(state, settings, filters, limit)
        response = _json(report.as_json())
        # Weak: the times in the body move on while nothing else does.
        response.set_etag(report.digest, weak=True)
        response.headers["Cache-Control"] = "private, no-cache"
        response.make_conditional(request)
        return response

    @routes.get("/drift/<identity>")
    def finding(identity: str) -> Response:
        query(request.args, ())
        found = state.finding(identity)
        if found is None:
            raise Problem(404, "there is no finding of this id: the object is in sync, or not guarded")
        return _json({"apiVersion": API_VERSION, "kind": "Drift"} | found)

    @routes.get("/sources")
    def sources() -> Response:
        query(request.args, ())
        return _list("SourceList", state.sources(), settings)

    @routes.get("/decisions")
    def decisions() -> Response:
        filters, limit = query(request.args, DECISION_FILTERS)
        found, total = state.decisions(filters, limit)
        return _list("DecisionList", found, settings, total)

    return routes


def drift_report(state: ApiState, settings: ApiSettings, filters: Mapping[str, str], limit: int) -> DriftReport:
    """One page of the report as it stands."""
    found, total, counts = state.findings(filters, limit)
    observed = state.observed()
    now = settings.now()
    broken = [str(source["name"]) for source in state.sources() if source["state"] != "Ready"]
    return DriftReport(
        items=tuple(found),
        generated_at=stamp(now),
        observed_at=observed.observed_at,
        stale=stale_reason(observed.observed_at, now, broken),
        snapshot=observed.snapshot,
        managed=sum(observed.managed.values()),
        total=total,
        counts=counts,
        hidden=observed.hidden,
        expired=tuple(observed.expired),
        problems=observed.problems,
    )


def query(args: Any, known: tuple[str, ...]) -> tuple[dict[str, str], int]:
    """Filters and limit of a request. Raises Problem 400 naming the parameter that is unknown, repeated or wrong."""
    names = (*known, "limit") if known else ()
    for name in args:
        if name not in names:
            raise Problem(400, f"unknown parameter {name[:50]!r}; known: {', '.join(names) or 'none'}")
        if len(args.getlist(name)) > 1:
            raise Problem(400, f"parameter {name!r} is given more than once")
    filters = {name: args[name] for name in known if name in args}
    if "state" in filters and filters["state"] not in STATES:
        raise Problem(400, f"parameter 'state' must be one of {', '.join(STATES)}")
    return filters, _limit(args.get("limit", str(REPORT_PAGE)))


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= REPORT_PAGE_MAX):
        raise Problem(400, f"parameter 'limit' must be a whole number from 1 to {REPORT_PAGE_MAX}")
    return int(text)


def _list(kind: str, items: list[dict[str, Any]], settings: ApiSettings, total: int | None = None) -> Response:
    remaining = (len(items) if total is None else total) - len(items)
    metadata = {"generatedAt": stamp(settings.now()), "remainingItemCount": remaining}
    return _json({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "items": items})


def _json(body: Mapping[str, Any]) -> Response:
    return Response(dumps(body) + "\n", content_type="application/json")
