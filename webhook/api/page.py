"""Owns the routes of the pages: reads the state, hands it to `pages`, renders. Must not compute what a page says.

The template engine escapes every value, and values come masked from the store. Pages are only read: a browser that is
signed in can be made to do nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as Answer

from reconciler.errors import StoreError, UsageError
from reconciler.limits import REPORT_PAGE
from reconciler.model.instant import stamp
from reconciler.report.blind import blind_lines
from reconciler.report.drift import SEVERITIES, STATES
from reconciler.report.links import commit_link
from reconciler.report.printable import visible
from reconciler.report.query import CHOSEN, Query, parse_query
from webhook.api import problems
from webhook.api.access import scope
from webhook.api.narrow import read_finding, read_matching, read_over
from webhook.api.pages import coverage, overview, trail, words
from webhook.api.pages.finding import VIEWS, Shown
from webhook.api.pages.trust import Trust, trust, unwatched
from webhook.api.ports import ApiSettings, ApiState
from webhook.api.problems import Problem
from webhook.api.report import DECISION_FILTERS, envelope, known_only
from webhook.api.sums import Sums, overview_link

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_MENU = (
    ("page.overview", "Drift"),
    ("page.sources", "Sources"),
    ("page.denials", "Denials"),
    ("page.grants", "Grants"),
    ("page.coverage", "Coverage"),
    ("page.rules", "Rules"),
)
_ASKED = (*CHOSEN, "sort")
_DECISIONS = (*DECISION_FILTERS, "allowed")
_DAY = timedelta(days=1)


def blueprint(state: ApiState, settings: ApiSettings) -> Blueprint:
    """`/` and the pages that it leads to."""
    here = _Pages(state, settings)
    routes = Blueprint(
        "page", __name__, template_folder="pages/templates", static_folder="pages/static", static_url_path="/static"
    )
    for path, name in (
        ("/", "overview"),
        ("/objects/<identity>", "object"),
        ("/sources", "sources"),
        ("/denials", "denials"),
        ("/grants", "grants"),
        ("/coverage", "coverage"),
        ("/rules", "rules"),
    ):
        routes.add_url_rule(path, name, getattr(here, name))
    hosts = settings.git_hosts
    routes.add_app_template_filter(lambda url, at: commit_link(url, at.rpartition(":")[2], hosts), "commit_url")
    for name, make in {"ago": words.ago, "age": words.age}.items():
        routes.add_app_template_filter(lambda text, make=make: make(text, settings.now()), name)
    for plain in (words.clock, words.count, words.source_state, words.breakable):
        routes.add_app_template_filter(plain, plain.__name__)
    routes.register_error_handler(Problem, _problem)
    routes.register_error_handler(StoreError, _store_failed)
    routes.register_error_handler(HTTPException, problems.http_problem)
    routes.register_error_handler(Exception, _unexpected)
    return routes


@dataclass(frozen=True, slots=True)
class _Pages:
    """One method a page."""

    state: ApiState
    settings: ApiSettings

    @property
    def leads(self) -> bool:
        """In a cluster others hand their records on to the replica that leads, from when it does."""
        return self.settings.callers is not None

    def overview(self) -> Answer:
        """What differs, by state, owner and namespace, and a page of it."""
        given, number = _given(_ASKED)
        if given is None:
            return redirect(overview_link(**_filled()))
        now, mine = self.settings.now(), scope()
        query = _query({"sort": "severity", **given}, now)
        with read_matching(self.state, replace(query, scope=mine)) as matching:
            rows = overview.rows(matching.texts, number, self.settings.git_hosts)
        head = self._trust(now)
        return _page(
            "overview.html",
            trust=head,
            asked=given,
            filtered=bool(given.keys() - {"sort"}),
            kept=overview.kept(given, _FIELDS),
            rows=rows,
            page=overview.page(len(matching.lines), number, partial(overview_link, **given)),
            severities=SEVERITIES,
            states=[one for one in STATES if one != "in-sync"],
            meanings=[(words.state(name), text) for name, text in words.MEANINGS.items()],
            **Sums(self.state, now, mine).of(head.managed),
        )

    def object(self, identity: str) -> Answer:
        """One finding, also one that is over: who, what, where, and how to undo it."""
        view, only = _viewed()
        now, mine = self.settings.now(), scope()
        item = read_finding(self.state, identity, mine) or read_over(self.state, identity, mine)
        history = self.state.history(identity) if item is not None or mine is None else []
        if item is None:
            events = trail.timeline({}, history, ())
            return _page("gone.html", 404, trust=self._trust(now), events=events)
        found = Shown(item, self.settings.git_hosts)
        names = {"kind": found.ref.kind, "namespace": found.ref.namespace, "name": found.ref.name}
        same = partial(filter, lambda one: one.get("group", "") == found.ref.group)
        decisions = list(same(self.state.decisions(names, REPORT_PAGE)[0]))
        guarded = list(same(self.state.guarded(names, REPORT_PAGE)[0]))
        return _page(
            "object.html",
            trust=self._trust(now),
            found=found,
            events=trail.timeline(found.item, history, decisions, guarded),
            fight=trail.fight(history, stamp(now - _DAY)),
            over=words.OVER,
            ended=trail.ended(history),
            lasted=words.lasted(item.get("firstSeen"), found.over),
            panes=found.panes_of(view, hard=only == "hard"),
            soft=sum(pane.soft for pane in found.panes),
            view=view,
            only=only,
            views=VIEWS,
        )

    def sources(self) -> Answer:
        """Each source, and how it stands."""
        _given(())
        found = sorted(self.state.sources(), key=lambda one: (one["state"] == "Ready", one["name"]))
        troubled = sum(one["state"] not in words.SOURCES for one in found)
        return _page("sources.html", trust=self._trust(), found=found, troubled=troubled)

    def denials(self) -> Answer:
        """Decisions, those that refused unless others are asked for."""
        given, number = _given(_DECISIONS)
        if given is None:
            return redirect(_denials(**_filled()))
        asked = {"allowed": "false", **given}
        if asked["allowed"] not in {"true", "false", "all"}:
            raise Problem(400, "parameter 'allowed' must be one of true, false, all")
        filters = {name: value for name, value in asked.items() if (name, value) != ("allowed", "all")}
        found, total = self.state.decisions(filters, overview.ROWS, (number - 1) * overview.ROWS)
        rows = [trail.decision(one, self.settings.cluster) for one in found]
        page = overview.page(total, number, partial(_denials, **given))
        return _page("denials.html", trust=self._trust(), found=rows, page=page, asked=asked, leads=self.leads)

    def grants(self) -> Answer:
        """Who may leave Git, and who could."""
        _given(())
        now = self.settings.now()
        found = [trail.grant(one, now.timestamp()) for one in self.state.grants()]
        current = [one for one in found if not one["over"]]
        past = [one for one in found if one["over"]]
        return _page("grants.html", trust=self._trust(now), current=current, past=past[:REPORT_PAGE])

    def coverage(self) -> Answer:
        """What is guarded, and what is not."""
        _given(())
        observed, blindness = self.state.observed(), self.state.blindness(REPORT_PAGE)
        report = self._report()
        canary = blindness.watches.get("canary") or {}
        with self.state.matching(Query(limit=None)) as found:
            unguarded, number = coverage.unguarded(found, REPORT_PAGE)
        counted = self.state.unmanaged()
        places, more = coverage.places(counted)
        return _page(
            "coverage.html",
            trust=self._trust(),
            counted=counted,
            percent=coverage.percent(counted.managed, counted.number),
            places=places,
            more=more,
            kinds=coverage.kinds(observed.managed),
            entries=coverage.entries(self.state.registration(), canary),
            unwatched=unwatched(report),
            watched=[one["name"] for one in self.state.sources() if one.get("mode") in {"new", "watched"}],
            unguarded=[Shown(one) for one in unguarded],
            unguarded_number=number,
            blind=list(blind_lines(report["summary"].get("blind") or {})),
        )

    def rules(self) -> Answer:
        """Rules that hide something."""
        _given(())
        observed = self.state.observed()
        hidden = sorted(observed.hidden.items(), key=lambda one: (-one[1], one[0]))
        return _page(
            "rules.html",
            trust=self._trust(),
            hidden=hidden,
            total=sum(observed.hidden.values()),
            expired=observed.expired,
            problems=observed.problems,
        )

    def _trust(self, now: datetime | None = None) -> Trust:
        return trust(self._report(), self.settings.cluster, now or self.settings.now())

    def _report(self) -> dict[str, Any]:
        return envelope(self.state, self.settings, {}, scope()).as_json()


# Fields of the form of findings; what else was asked for goes with them unseen.
_FIELDS = frozenset({"search", "severity", "state", "namespace", "owner"})


def _given(known: tuple[str, ...]) -> tuple[dict[str, str] | None, int]:
    """Parameters and the number of the page; None in place of parameters where a form has sent empty ones."""
    names = (*known, "page") if known else ()
    for name in request.args:
        if name not in names:
            raise Problem(400, f"unknown parameter {name[:50]!r}; known: {', '.join(names) or 'none'}")
        if len(request.args.getlist(name)) > 1:
            raise Problem(400, f"parameter {name!r} is given more than once")
    text = request.args.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text)):
        raise Problem(400, "parameter 'page' must be a whole number from 1")
    if not all(request.args.values()):
        return None, 1
    return {name: value for name, value in request.args.items() if name != "page"}, int(text)


def _viewed() -> tuple[str, str]:
    """How differences are to be shown, and which: one of VIEWS, and `hard` or ""."""
    asked = known_only(("view", "only"))
    view, only = asked.get("view", "split"), asked.get("only", "")
    if view not in VIEWS:
        raise Problem(400, f"parameter 'view' must be one of {', '.join(VIEWS)}")
    if only not in ("", "hard"):
        raise Problem(400, "parameter 'only' must be hard")
    return view, only


def _denials(**parameters: Any) -> str:
    return url_for("page.denials", **parameters)


def _filled() -> dict[str, str]:
    return {name: value for name, value in request.args.items() if value}


def _query(given: Mapping[str, str], now: datetime) -> Query:
    try:
        return parse_query(given, now, limit=None)
    except UsageError as error:
        raise Problem(400, error.message) from None


def _page(template: str, status: int = 200, **view: Any) -> Response:
    here = f"page.{template.removesuffix('.html')}"
    # A reader of some namespaces is shown those ways only that are open to him.
    menu = _MENU if scope() is None else _MENU[:1]
    # Nothing of the cluster or of Git may turn the direction of what is read.
    text = visible(render_template(template, menu=menu, here=here, **view))
    return Response(text, status, {"Content-Security-Policy": _POLICY}, content_type="text/html; charset=utf-8")


def _problem(error: Problem) -> Response:
    """In words for people. Whoever is not signed in is told so as by every other path."""
    if error.status == 401:
        return problems.problem(401, error.detail, error.headers)
    return _page("error.html", error.status, title="That cannot be shown", detail=error.detail)


def _store_failed(error: StoreError) -> Response:
    problems.LOG.error("%s", error)
    answer = _page("error.html", 503, title="Not now", detail="The state store cannot be read now.")
    answer.headers["Retry-After"] = "5"
    return answer


def _unexpected(error: Exception) -> Response:
    problems.LOG.error("unexpected %s", type(error).__name__, exc_info=error)
    detail = "This page could not be made, which is a mistake of Setscrew's; the log of the API server says more."
    return _page("error.html", 500, title="That went wrong", detail=detail)
