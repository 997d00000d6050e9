"""Owns `/api/v1/drift`: the report, one finding, the summary, as the reader may see them. Must not compute."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from flask import Blueprint, Response

from reconciler.errors import UsageError
from reconciler.limits import MIB, REPORT_BYTES, REPORT_DENIALS_SECONDS
from reconciler.model.instant import stamp, stamp_milliseconds
from reconciler.model.own import API_VERSION
from reconciler.report.formats import summed
from reconciler.report.formats.registry import FORMATS, Format
from reconciler.report.formats.report import Report
from reconciler.report.in_sync import asks_for_all
from reconciler.report.query import PARAMETERS, Matching, Query, asked_flag, parse_query, parse_since
from reconciler.report.summary import Asked, parse_asked, row_trends, summarise
from webhook.api.access import Scope, scope
from webhook.api.answer import chosen, streamed
from webhook.api.leaving import Leaving, Sent
from webhook.api.narrow import read_finding, read_in_sync, read_matching, read_over
from webhook.api.paging import Lists, Page, Token
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.problems import Problem
from webhook.api.report import envelope, known_only, trust

DRIFT_PARAMETERS: Final = (*PARAMETERS, "format")
FINDING_PARAMETERS: Final = ("includeIgnored", "format")
SUMMARY_PARAMETERS: Final = ("by", "labels", "since", "trend", "format")
TRENDS: Final = ("total", "rows")
_NEGOTIATED: Final = {one.media_type: one.name for one in FORMATS.values() if one.negotiated}
_SUMMED: Final = {media: name for media, name in _NEGOTIATED.items() if name in summed.FORMATS}
_NOTHING: Final = Matching((), ())
_CONTINUE: Final = b"setscrew continue tokens"


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """The three routes."""
    here = _Drift(state, settings, Lists(hmac.digest(settings.token, _CONTINUE, "sha256")))
    routes = Blueprint("drift", __name__, url_prefix="/api/v1/drift")
    for path, name in (("", "drift"), ("/summary", "summary"), ("/<identity>", "finding")):
        routes.add_url_rule(path, name, getattr(here, name))
    return routes


@dataclass(frozen=True, slots=True)
class _Drift:
    """One method a route."""

    state: ApiState
    settings: ApiSettings
    lists: Lists

    def drift(self) -> Response:
        """A page of the report, or all of it."""
        given = known_only(DRIFT_PARAMETERS)
        shape, now = FORMATS[chosen(FORMATS, _NEGOTIATED)], self.settings.now()
        query = _parsed(given, now, shape, scope())
        with ExitStack() as held:
            page = self._page(query, given.get("continue", ""), now, held)
            answer = self._shown(query, shape, page)
            # Most of it is read while it is sent.
            answer.call_on_close(held.pop_all().close)
        return answer

    def _shown(self, query: Query, shape: Format, page: Page) -> Response:
        if page.size > REPORT_BYTES:
            raise Problem(400, f"parameter 'limit' asks for more than {REPORT_BYTES // MIB} MiB: read it in pages")
        report = envelope(self.state, self.settings, page.counts, query.scope)
        head = {key: value for key, value in report.as_json().items() if key != "items"}
        beside = self._passed(query, shape, stale=bool(report.stale), room=REPORT_BYTES - page.size)
        digest = hashlib.sha256(f"{report.digest}{page.digest}{beside.digest}".encode()).hexdigest()
        head["metadata"] |= {"digest": digest, "remainingItemCount": page.remaining, "continue": page.onward}
        stored = [*page.texts, *beside.texts] if beside.texts else page.texts
        texts = Sent(stored, self._leaving(ignored=query.ignored))
        return _rendered(shape, Report(head, texts, query.fields, self.settings.version), digest=digest)

    def finding(self, identity: str) -> Response:
        """One finding, or the last one that is over, with its history."""
        given = known_only(FINDING_PARAMETERS)
        shape = FORMATS[chosen(FORMATS, _NEGOTIATED)]
        mine = scope()
        found = read_finding(self.state, identity, mine) or read_over(self.state, identity, mine)
        if found is None:
            raise Problem(404, "there is no finding of this id, nor was there: the object is in sync, or not guarded")
        found = self._leaving(ignored=_asks_ignored(given)).item(found)
        if shape.name not in ("json", "yaml"):
            head = envelope(self.state, self.settings, {found["state"]: 1}, mine).as_json() | {"items": [found]}
            return _rendered(shape, Report.of(head, self.settings.version))
        body = {"apiVersion": API_VERSION, "kind": "Drift", **found, "history": self.state.history(identity)}
        return streamed(_plain(body, shape.name), shape.media_type)

    def summary(self) -> Response:
        """Rows whose sums tie."""
        given, now, mine = known_only(SUMMARY_PARAMETERS), self.settings.now(), scope()
        name = chosen(summed.FORMATS, _SUMMED)
        try:
            asked = parse_asked(given.get("by", "namespace"), given.get("labels", ""), self.settings.cluster)
            day_ago = now - timedelta(seconds=REPORT_DENIALS_SECONDS)
            since = parse_since(given["since"], now) if "since" in given else day_ago
            trends = self._trends(given.get("trend", TRENDS[0]), asked, now, mine)
        except UsageError as error:
            raise Problem(400, error.message) from None
        denials = self.state.denials(stamp_milliseconds(since), mine)
        rows, total = summarise(asked, self.state.lines(mine), denials, self.state.namespaces(), now)
        rows = [{**row, "trend": trends.get(row["name"], [])} for row in rows] if trends is not None else rows
        kept = trust(envelope(self.state, self.settings, {}, mine))
        metadata = {**kept, "by": asked.by, "labels": asked.labels, "since": stamp(since)}
        body = {"apiVersion": API_VERSION, "kind": "DriftSummary", "metadata": metadata, "items": rows, "total": total}
        body["trend"] = [asdict(day) for day in self.state.days(stamp(now), mine)]
        return streamed(summed.FORMATS[name](body), FORMATS[name].media_type)

    def _trends(self, wanted: str, asked: Asked, now: datetime, mine: Scope) -> dict[str, list[Any]] | None:
        """The days of each row where they are asked for, else None. Raises UsageError."""
        if wanted not in TRENDS:
            raise UsageError(f"parameter 'trend' must be one of {', '.join(TRENDS)}")
        if wanted != "rows":
            return None
        found = row_trends(asked, self.state.days_by_namespace(stamp(now), mine), self.state.namespaces())
        return {name: [asdict(day) for day in days] for name, days in found.items()}

    def _leaving(self, *, ignored: bool) -> Leaving:
        return Leaving(self.state.sources(), self.state.grants, self.settings.git_hosts, ignored)

    def _passed(self, query: Query, shape: Format, *, stale: bool, room: int) -> Matching:
        """What is in sync, for formats that tell which tests have passed; as far as all of it has room."""
        if not shape.passes or not asks_for_all(query):
            return _NOTHING
        found = read_in_sync(self.state, query, stale=stale)
        return found if found.size <= room else _NOTHING

    def _matching(self, query: Query) -> Matching:
        if not query.in_sync:
            return read_matching(self.state, query)
        report = envelope(self.state, self.settings, {}, query.scope)
        return read_in_sync(self.state, query, stale=bool(report.stale))

    def _page(self, query: Query, given: str, now: datetime, held: ExitStack) -> Page:
        """`held` closes what the page is read from."""
        if not given:
            return self.lists.first(query, held.enter_context(self._matching(query)), now)
        token = self.lists.read(given, query)
        if token is None:
            detail = "parameter 'continue' must be as the page before gave it, with the same parameters as that page"
            raise Problem(400, detail)
        return self.lists.next(query, token, now) or self._gone(query, token, now)

    def _gone(self, query: Query, token: Token, now: datetime) -> Page:
        with self._matching(query) as found:
            fresh = self.lists.again(query, token, found, now)
        detail = "this list is kept no longer; `continue` leads on in the list as it is now, which may have changed"
        raise Problem(410, detail, members={"continue": fresh})


def _rendered(shape: Format, report: Report, *, digest: str = "") -> Response:
    answer = streamed(shape.render(report), shape.content_type, digest=digest)
    if shape.policy:
        answer.headers["Content-Security-Policy"] = f"{shape.policy}; frame-ancestors 'none'"
    return answer


def _asks_ignored(given: Mapping[str, str]) -> bool:
    try:
        return asked_flag(given, "includeIgnored")
    except UsageError as error:
        raise Problem(400, error.message) from None


def _parsed(given: Mapping[str, str], now: datetime, shape: Format, mine: Scope) -> Query:
    try:
        query = parse_query(given, now, limit=shape.limit)
    except UsageError as error:
        raise Problem(400, error.message) from None
    return replace(query, scope=mine)


def _plain(body: Mapping[str, Any], name: str) -> Iterator[str]:
    yield msgspec.yaml.encode(body).decode() if name == "yaml" else msgspec.json.encode(body).decode() + "\n"
