"""Owns the read-only endpoints: drift, sources, guarded, decisions, blindness. Must not compute findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request
from flask.json import dumps

from reconciler.limits import BLIND_SHOWN, REPORT_PAGE, REPORT_PAGE_MAX
from reconciler.model.instant import stamp
from reconciler.model.own import API_VERSION
from reconciler.report.blind import blind_summary
from reconciler.report.drift import STATES, DriftReport, stale_reason
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.problems import Problem

DRIFT_FILTERS = ("namespace", "kind", "name", "source", "state")
GUARDED_FILTERS = ("namespace", "kind", "name", "source")
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

    @routes.get("/guarded")
    def guarded() -> Response:
        filters, limit = query(request.args, GUARDED_FILTERS)
        found, total = state.guarded(filters, limit)
        return _list("GuardedList", found, settings, total)

    @routes.get("/blind")
    def blind() -> Response:
        _, limit = query(request.args, (), limited=True)
        found = state.blindness(limit)
        more = {"slipped": list(found.slipped), "watches": found.watches}
        remaining = {"remainingSlippedCount": found.slipped_total - len(found.slipped)}
        return _list("BlindList", list(found.spans), settings, found.total, metadata=remaining, more=more)

    @routes.get("/decisions")
    def decisions() -> Response:
        filters, limit = query(request.args, DECISION_FILTERS)
        found, total = state.decisions(filters, limit)
        return _list("DecisionList", found, settings, total)

    return routes


def drift_report(state: ApiState, settings: ApiSettings, filters: Mapping[str, str], limit: int) -> DriftReport:
    """One page of the report as it stands."""
    found, total, counts = state.findings(filters, limit)
    observed, blindness = state.observed(), state.blindness(2 * BLIND_SHOWN)
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
        blind=blind_summary(blindness.spans, blindness.watches),
    )


def query(args: Any, known: tuple[str, ...], *, limited: bool = False) -> tuple[dict[str, str], int]:
    """Filters and limit of a request. Raises Problem 400 naming the parameter that is unknown, repeated or wrong."""
    names = (*known, "limit") if known or limited else ()
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


def _list(
    kind: str,
    items: Sequence[Mapping[str, Any]],
    settings: ApiSettings,
    total: int | None = None,
    *,
    metadata: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    remaining = (len(items) if total is None else total) - len(items)
    about = {"generatedAt": stamp(settings.now()), "remainingItemCount": remaining, **(metadata or {})}
    return _json({"apiVersion": API_VERSION, "kind": kind, "metadata": about, "items": items, **(more or {})})


def _json(body: Mapping[str, Any]) -> Response:
    return Response(dumps(body) + "\n", content_type="application/json")
