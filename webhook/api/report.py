"""Owns the read-only endpoints beside drift: guarded, decisions, blindness; and the envelope of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from flask import Blueprint, Response, request
from flask.json import dumps

from reconciler.errors import UsageError
from reconciler.limits import BLIND_SHOWN, REPORT_PAGE
from reconciler.model.instant import stamp
from reconciler.model.own import API_VERSION
from reconciler.report.blind import blind_summary
from reconciler.report.listing import DriftReport
from reconciler.report.query import parse_limit
from reconciler.report.stale import stale_reason
from webhook.api.access import Scope, scope
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.problems import Problem

GUARDED_FILTERS = ("namespace", "kind", "name", "source")
_TRUST: Final = ("generatedAt", "observedAt", "currentAt", "stale", "staleReason")
DECISION_FILTERS = ("namespace", "kind", "name", "code", "user", "source", "policy")


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """`/api/v1`."""
    routes = Blueprint("report", __name__, url_prefix="/api/v1")

    @routes.get("/guarded")
    def guarded() -> Response:
        filters, limit = query(GUARDED_FILTERS)
        found, total = state.guarded(filters, limit) if _within(filters) else ([], 0)
        return listed("GuardedList", found, settings, total)

    @routes.get("/blind")
    def blind() -> Response:
        _, limit = query((), limited=True)
        found = state.blindness(limit)
        more = {"slipped": list(found.slipped), "watches": found.watches}
        remaining = {"remainingSlippedCount": found.slipped_total - len(found.slipped)}
        return listed("BlindList", list(found.spans), settings, found.total, metadata=remaining, more=more)

    @routes.get("/decisions")
    def decisions() -> Response:
        filters, limit = query(DECISION_FILTERS)
        found, total = state.decisions(filters, limit) if _within(filters) else ([], 0)
        return listed("DecisionList", found, settings, total)

    return routes


def drift_report(state: ApiState, settings: ApiSettings, filters: Mapping[str, str], limit: int) -> DriftReport:
    """One page of the report as it stands."""
    found, _, counts = state.findings(filters, limit)
    return replace(envelope(state, settings, counts), items=tuple(found))


def envelope(state: ApiState, settings: ApiSettings, counts: Mapping[str, int], mine: Scope = None) -> DriftReport:
    """The report without its findings, of which there are so many by state.

    A reader of some namespaces is told how far to trust it, and nothing of what there is elsewhere.
    """
    observed, now = state.observed(), settings.now()
    broken = [str(source["name"]) for source in state.sources() if source["state"] != "Ready"]
    report = DriftReport(
        items=(),
        generated_at=stamp(now),
        observed_at=observed.observed_at,
        current_at=observed.current_at,
        stale=stale_reason(
            observed.observed_at, now, broken, current_at=observed.current_at, unwatched=observed.unwatched
        ),
        total=sum(counts.values()),
        counts=counts,
    )
    if mine is not None:
        stale = stale_reason(observed.observed_at, now, current_at=observed.current_at, unwatched=observed.unwatched)
        stale = stale or ("not all sources are ready" if broken else "")
        managed = sum(state.guarded({"namespace": name}, 1)[1] for name in sorted(mine))
        return replace(report, stale=stale, managed=managed)
    blindness = state.blindness(2 * BLIND_SHOWN)
    return replace(
        report,
        snapshot=observed.snapshot,
        managed=sum(observed.managed.values()),
        hidden=observed.hidden,
        expired=tuple(observed.expired),
        problems=observed.problems,
        unwatched=observed.unwatched,
        blind=blind_summary(blindness.spans, blindness.watches),
    )


def trust(report: DriftReport) -> dict[str, Any]:
    """How far a report is to be trusted, as the metadata of any answer says it."""
    found = report.as_json()["metadata"]
    return {key: found[key] for key in _TRUST}


def known_only(known: tuple[str, ...]) -> dict[str, str]:
    """The parameters of a request. Raises Problem 400 naming one that is unknown or repeated."""
    for name in request.args:
        if name not in known:
            raise Problem(400, f"unknown parameter {name[:50]!r}; known: {', '.join(known) or 'none'}")
        if len(request.args.getlist(name)) > 1:
            raise Problem(400, f"parameter {name!r} is given more than once")
    return request.args.to_dict()


def query(known: tuple[str, ...], *, limited: bool = False) -> tuple[dict[str, str], int]:
    """Filters and limit of a request. Raises Problem 400 naming the parameter that is unknown, repeated or wrong."""
    given = known_only((*known, "limit") if known or limited else ())
    try:
        limit = parse_limit(given.pop("limit", str(REPORT_PAGE)), everything=False)
    except UsageError as error:
        raise Problem(400, error.message) from None
    return given, limit or REPORT_PAGE


def _within(filters: dict[str, str]) -> bool:
    """True where the reader may see what the filters choose; one with a single namespace need not name it."""
    mine = scope()
    if mine is None:
        return True
    if "namespace" not in filters and len(mine) != 1:
        raise Problem(
            400, f"parameter 'namespace' must name one of those that this token is for: {', '.join(sorted(mine))}"
        )
    return filters.setdefault("namespace", next(iter(mine))) in mine


def listed(
    kind: str,
    items: Sequence[Mapping[str, Any]],
    settings: ApiSettings,
    total: int | None = None,
    *,
    metadata: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """A list as all answers have it; `total` is how many there are, where these are not all."""
    remaining = (len(items) if total is None else total) - len(items)
    about = {"generatedAt": stamp(settings.now()), "remainingItemCount": remaining, **(metadata or {})}
    return _json({"apiVersion": API_VERSION, "kind": kind, "metadata": about, "items": items, **(more or {})})


def _json(body: Mapping[str, Any]) -> Response:
    return Response(dumps(body) + "\n", content_type="application/json")
