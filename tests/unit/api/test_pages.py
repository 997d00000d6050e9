"""Pages say who did what and how to undo it, to holders of the token; whatever a value holds, it stays a value."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from reconciler.report.days import Day
from reconciler.report.drift import DriftChange, DriftItem, DriftSource, finding_id
from reconciler.report.links import GitHost
from reconciler.report.unmanaged import Place, Unmanaged
from reconciler.store.decisions import read_decisions, record, record_all
from reconciler.store.findings import Pass, put_findings, replace_findings
from reconciler.store.sources import SourceStatus, save_source
from reconciler.store.state import State
from reconciler.store.unmanaged import save_unmanaged
from setscrew.stored_state import StoredState
from tests.support import sample_past, sample_report
from tests.unit.api.conftest import NOW, Asked
from webhook.api import page as pages
from webhook.api.app import create_api_app
from webhook.api.pages import coverage, undo
from webhook.api.pages.finding import Shown
from webhook.api.pages.trend import chart
from webhook.api.pages.trust import trust
from webhook.api.ports import ApiSettings

Get = Callable[..., TestResponse]
PAGES = ("/", "/sources", "/denials", "/denials?allowed=all", "/grants", "/coverage", "/rules")
OBJECT = f"/objects/{finding_id(sample_report.CLASS)}"
OVER = f"/objects/{finding_id(sample_past.FOUGHT)}"
UNKNOWN = f"/objects/{finding_id(sample_report.UNKNOWN)}"
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)><a href=javascript:alert(3)>{{7*7}}\u202e"


@pytest.fixture
def morning(state: State) -> State:
    sample_report.fill(state, NOW)
    return state


class Tags(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def links(page: TestResponse) -> Iterator[str]:
    return (attributes["href"] or "" for tag, attributes in Tags(page.text).found if tag == "a")


@pytest.mark.parametrize("path", [*PAGES, OBJECT, OVER, UNKNOWN, f"{OBJECT}?view=whole&only=hard", "/objects/none"])
def test_every_page_is_html_that_runs_nothing_but_our_own_script(morning: State, get: Get, path: str) -> None:
    page = get(path)
    assert page.status_code == (404 if path == "/objects/none" else 200)
    assert page.content_type == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; ")
    assert "unsafe" not in policy
    for tag, attributes in Tags(page.text).found:
        assert tag != "style"
        assert tag != "script" or attributes == {"src": "/static/page.js", "defer": None}
        assert not any(name == "style" or name.startswith("on") for name in attributes)


@pytest.mark.parametrize("path", [*PAGES, OBJECT])
def test_pages_are_for_holders_of_the_token_their_style_for_anyone(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert "Basic" in client.get(path).headers["WWW-Authenticate"]
    with client.get("/static/page.css") as style:
        assert style.status_code == 200
    assert client.get("/static/../page.py").status_code == 404


def test_from_the_overview_one_click_leads_to_who_changed_the_class_and_how_to_undo_it(
    morning: State, get: Get
) -> None:
    overview = get("/")
    assert OBJECT in list(links(overview))
    page = get(OBJECT).text
    assert re.search(r'class="who">dana<', page)
    assert "named by our own record of the write" in page
    assert "kubectl patch deviceclass.resource.k8s.io/a100-mig" in page
    assert "gpu/classes.yaml:12" in page
    assert "14 Pods of 3 namespaces hold a claim of this class" in page
    assert page.index("Drift seen") < page.index("UPDATE of /spec/selectors/0/cel/expression refused")
    assert page.index("UPDATE of /spec/selectors/0/cel/expression refused") < page.index("Under guard<")


def test_tiles_count_what_there_is_and_lead_to_it(morning: State, get: Get) -> None:
    page = get("/")
    found = re.findall(r'<b>([\d,]+)</b>\s*<span class="label">.*?<span>([a-z0-9 ]+)</span></span>', page.text)
    words = {word: number for number, word in found}
    assert words == {
        "in sync": "880", "drifted": "5", "missing": "1", "orphaned": "1", "unknown": "1", "unmanaged": "52",
        "refused in 24 h": "2", "grant in force": "1",
    }  # fmt: skip
    assert {"/?state=missing", "/?sort=firstSeen", "/coverage#unmanaged"} <= {*links(page)}
    assert re.search(r"<b>6 d</b>\s*<span class=\"label\"><span>oldest<", page.text)


def test_a_finding_that_is_over_stays_readable_and_offers_no_undo(morning: State, get: Get) -> None:
    answer = get(OVER)
    assert answer.status_code == 200
    page = answer.text
    assert re.search(r"over</span><span>since .*2 Jan 2030 02:02:05 UTC.*: as Git says\. It had lasted 8 min", page)
    assert sample_past.OPPONENT in page
    assert "What differed" in page
    assert "Nothing is to be undone" in page
    assert "kubectl patch" not in page
    assert page.index("As Git says again") < page.index("Put back by Setscrew") < page.index("Drift seen")


def test_a_fight_names_its_opponent_on_the_overview_and_on_its_page(morning: State, get: Get) -> None:
    overview = get("/").text
    told = f"Put back 5 times in 10 minutes, each time undone by {sample_past.OPPONENT}"
    assert told in overview
    assert OVER in list(links(get("/")))
    assert overview.index(told) < overview.index("What is not as Git says")
    assert f"<h2>A fight</h2><p>{told}" in get(OVER).text
    assert "A fight" not in get(OBJECT).text


def test_what_unknown_means_is_said_where_it_stands(morning: State, get: Get) -> None:
    page = get(UNKNOWN).text
    assert "the API server did not answer the dry-run: deadline exceeded" in page
    assert "nobody knows whether it is as Git says" in page
    assert "kubectl patch" not in page
    assert "nobody knows whether it is as Git says" in get("/").text


def test_what_rules_hide_is_said_and_where(morning: State, get: Get) -> None:
    page = get("/")
    assert "408 fields hidden by 3 rules" in page.text
    assert "1 more hidden by a rule" in page.text
    web = next(one for one in links(page) if one == f"/objects/{finding_id(sample_report.WEB)}")
    ignored = r"deployment\..*kubernetes\..*io/.*revision.*/rules#deployment-revision.*numbers its revisions"
    assert re.search(ignored, get(web).text)


def test_links_lead_to_the_git_host_where_it_is_known(morning: State, get: Get) -> None:
    assert not any(one.startswith("http") for path in ("/", OBJECT, "/sources") for one in links(get(path)))
    hosts = {"git.example.com": GitHost("gitea", "https://git.example.com")}
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, git_hosts=hosts)
    client = create_api_app(StoredState(morning), settings, lambda _: None).test_client()
    commit = sample_report.COMMITS["platform"]
    base = "https://git.example.com/platform/clusters"
    file = f"{base}/src/commit/{commit}/gpu/classes.yaml#L12"
    for path, wanted in (
        ("/", {file}),
        (OBJECT, {file, f"{base}/commit/{commit}"}),
        ("/sources", {f"{base}/commit/{commit}"}),
    ):
        assert wanted <= {*links(client.get(path, auth=("anyone", "swordfish")))}


def test_differences_are_shown_beside_each_other_or_as_one_and_soft_ones_can_be_left_out(
    state: State, get: Get
) -> None:
    lines = [f"line {number}" for number in range(20)]
    live = [*lines[:-1], "another"]
    changes = (
        DriftChange("/data/x", "replace", "\n".join(lines), "\n".join(live), field="data.x"),
        DriftChange("/spec/y", "replace", 1, 2, "default-overridden", field="spec.y"),
    )
    item = replace(next(iter(sample_report.findings(NOW))), changes=changes)
    replace_findings(state, [item], Pass("2030-01-02T03:04:00Z"))
    split, unified, whole = (get(f"{OBJECT}{more}").text for more in ("", "?view=unified", "?view=whole"))
    assert "Desired: Git says" in split
    assert "Desired: Git says" not in unified
    assert ("line 0" in split, "line 0" in unified, "line 0" in whole) == (True, False, True)
    hard = get(f"{OBJECT}?only=hard").text
    assert ("spec.y" in unified, "<code>spec.y" in hard, "<code>data.x" in hard) == (True, False, True)


def test_unmanaged_objects_are_counted_by_namespace_and_no_count_is_no_zero(state: State, get: Get) -> None:
    page = get("/coverage").text
    assert "Nobody has counted yet. That is no zero." in page
    assert "100 %" not in page
    sample_report.fill(state, NOW)
    page = get("/coverage").text
    assert re.search(r"<b>94 %</b>.*managed, of guarded kinds", page)
    rows = re.findall(r'<th scope="row">([^<]+)</th><td class="number">(\d+)</td><td class="number">(\d+)</td>', page)
    assert rows[:3] == [("sandbox", "34", "0"), ("ml", "11", "74"), ("(cluster)", "4", "70")]
    assert "23 ConfigMap, 6 apps/Deployment, 5 Service" in page
    save_unmanaged(state, Unmanaged("2030-01-02T03:00:00Z", {"": Place(9)}, {"Secret": "forbidden"}))
    page = get("/coverage").text
    assert "Secret: forbidden" in page


def test_the_last_thirty_days_are_drawn_and_days_without_a_count_are_not_zero(morning: State, get: Get) -> None:
    page = get("/")
    charts = re.findall(r'aria-label="(\d+) (found|over|refused) in (\d+) days', page.text)
    assert [what for _, what, _ in charts[:3]] == ["found", "over", "refused"]
    assert {days for *_, days in charts} == {"27"}
    assert all(int(number) for number, *_ in charts[:3])
    assert "3 Dec 2029: not counted yet" not in page.text
    assert "4 Dec 2029: not counted yet" in page.text
    assert "counted since" in page.text


def test_the_worst_comes_first_and_filters_are_those_of_the_api(morning: State, get: Get) -> None:
    def names(path: str) -> list[str]:
        return re.findall(r'class="object"[^>]*>([^<]+)<', get(path).text)

    assert names("/")[0] == "a100-mig"
    assert names("/")[-1] == "ml/old-mig-layout"
    assert names("/?namespace=payments&kind=secret") == ["payments/psp"]
    assert names("/?owner=vision") == ["ml/old-mig-layout"]
    assert names("/?search=CART") == ["shop/cart"]
    assert names("/?severity=medium&sort=-firstSeen") == ["shop/search", "payments/limits"]
    assert names("/?name=none") == []


def test_what_a_form_leaves_empty_is_no_filter(morning: State, get: Get) -> None:
    answer = get("/?search=&state=missing&severity=")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/?state=missing")


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/?nope=1", "nope"),
        ("/?state=broken", "state"),
        ("/?page=0", "page"),
        ("/?page=x", "page"),
        ("/?name=a&name=b", "name"),
        ("/denials?allowed=maybe", "allowed"),
        ("/sources?x=1", "x"),
        (f"{OBJECT}?view=nice", "view"),
        (f"{OBJECT}?only=soft", "only"),
    ],
)
def test_a_wrong_parameter_is_named_in_words(morning: State, get: Get, path: str, named: str) -> None:
    answer = get(path)
    assert (answer.status_code, answer.content_type) == (400, "text/html; charset=utf-8")
    assert f"&#39;{named}&#39;" in answer.text


def test_ten_thousand_findings_come_in_pages_and_are_all_counted(state: State, get: Get) -> None:
    replace_findings(state, sample_report.many(10_000, NOW), Pass("2030-01-02T03:04:00Z"))
    page = get("/?page=3")
    assert page.text.count('class="object"') == 50
    assert "101 to 150 of 10,000" in page.text
    assert {"/?page=2", "/?page=4"} <= set(links(page))
    assert "2,000" in get("/?severity=critical").text
    assert re.search(r"44 more", page.text)


def test_a_stale_report_says_so_and_proves_nothing(state: State, get: Get) -> None:
    page = get("/").text
    assert 'role="alert"' in page
    assert "Do not rely on this" in page
    assert "Nothing found, but that proves nothing" in page
    replace_findings(state, [], Pass("2030-01-02T03:04:00Z", "ab" * 32))
    page = get("/").text
    assert 'role="alert"' not in page
    assert "Everything under guard is as Git says." in page


def hostile(state: State) -> str:
    change = DriftChange(
        f"/data/{EVIL}", "replace", EVIL, {"name": EVIL}, "extra", EVIL, EVIL, EVIL, f"data.{EVIL}", embedded=EVIL
    )
    item = next(iter(sample_report.findings(NOW)))
    item = replace(
        item,
        api_version=f"{EVIL}/v1", kind=EVIL, namespace=EVIL, name=EVIL, changes=(change,), reason=EVIL, grant=EVIL,
        source=DriftSource(EVIL, EVIL, EVIL, EVIL, 1, EVIL, EVIL, signer=EVIL), severity_reason=EVIL,
        attribution=replace(item.attribution, user=EVIL, manager=EVIL, groups=(EVIL,), verb=EVIL, time=EVIL),
        owner=replace(item.owner, team=EVIL, cost_center=EVIL, contact=EVIL), gpu={"lines": [EVIL]}, hidden={EVIL: 1},
        first_seen=EVIL, patch=({"op": "add", "path": "/data/x", "value": EVIL},),
    )  # fmt: skip
    observed = Pass("2030-01-02T03:04:00Z", EVIL, {f"{EVIL}|{EVIL}": 3}, {EVIL: 2}, (EVIL,), (EVIL,))
    replace_findings(state, [item], observed)
    save_source(state, SourceStatus(EVIL, "RenderFailed", EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, origin=EVIL), EVIL)
    told = {"time": "2030-01-02T03:00:00Z", "code": EVIL, "allowed": False, "would": EVIL, "user": EVIL, "kind": EVIL}
    told |= {"namespace": EVIL, "name": EVIL, "operation": EVIL, "grant": EVIL, "group": EVIL}
    record(state, json.dumps(told | {"paths": [{"path": EVIL, "want": EVIL, "now": "x"}]}).encode())
    return item.id


@pytest.mark.parametrize("path", [*PAGES, "/objects/"])
def test_whatever_a_value_holds_it_stays_a_value(state: State, get: Get, path: str) -> None:
    identity = hostile(state)
    page = get(f"{path}{identity}" if path == "/objects/" else path)
    assert page.status_code == 200
    assert path == "/grants" or "alert(1)" in page.text
    assert "\u202e" not in page.text
    for tag, attributes in Tags(page.text).found:
        assert tag != "img"
        assert tag != "script" or attributes == {"src": "/static/page.js", "defer": None}
        assert not any(name.startswith("on") for name in attributes)
        assert not (attributes.get("href") or "").lower().startswith(("javascript", "data:text"))
    assert "{{7*7}}" in page.text or "49" not in page.text


def test_a_reader_of_some_namespaces_sees_these_and_no_other_page(state: State) -> None:
    sample_report.fill(state, NOW)
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, readers=lambda: {b"guest": frozenset({"shop"})})
    client = create_api_app(StoredState(state), settings, lambda _: None).test_client()
    guest = {"auth": ("anyone", "guest")}
    overview = client.get("/", **guest)
    assert re.findall(r'class="object"[^>]*>([^<]+)<', overview.text) == ["shop/cart", "shop/web", "shop/search"]
    assert "a100-mig" not in overview.text
    assert "payments" not in overview.text
    assert "payments" not in client.get(f"/objects/{finding_id(sample_report.WEB)}", **guest).text
    assert sample_past.OPPONENT not in overview.text
    assert client.get(OVER, **guest).status_code == 404
    assert sample_past.OPPONENT not in client.get(OVER, **guest).text
    assert client.get(OBJECT, **guest).status_code == 404
    assert "dana" not in client.get(OBJECT, **guest).text
    for path in PAGES[1:]:
        assert client.get(path, **guest).status_code == 403


def test_denials_are_those_that_refused_unless_others_are_asked_for(morning: State, get: Get) -> None:
    refused = get("/denials").text
    assert "ci-bot" in refused
    assert "mallory" not in refused
    everything = get("/denials?allowed=all").text
    assert "mallory" in everything
    assert "/grants#pat-0102-0200-7c1d" in list(links(get("/denials?allowed=true")))
    assert "admitted by grant" in everything
    assert OBJECT in list(links(get("/denials?user=dana")))


def test_a_page_of_denials_is_all_that_is_read_of_them(state: State, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"time": "2030-01-02T03:00:00.000Z", "code": "held", "allowed": False, "kind": "Pod", "namespace": "shop"}
    record_all(state, (json.dumps(told | {"name": f"pod-{number:03}"}).encode() for number in range(120)))
    read: list[int] = []

    def counted(*given: Any, **more: Any) -> tuple[list[dict[str, Any]], int]:
        found, total = read_decisions(*given, **more)
        read.append(len(found))
        return found, total

    monkeypatch.setattr("reconciler.store.decisions.read_decisions", counted)
    shown = [re.findall(r"pod-\d{3}", get(f"/denials?page={number}").text) for number in (1, 2, 3, 99_999)]
    assert [sorted({*names}) for names in shown] == [
        [f"pod-{number:03}" for number in range(*between)] for between in ((70, 120), (20, 70), (0, 20), (0, 0))
    ]
    assert read == [50, 50, 20, 0]


def test_coverage_names_what_happens_when_nobody_answers_and_what_is_only_watched(morning: State, get: Get) -> None:
    page = get("/coverage").text
    assert "failurePolicy: Ignore" in page
    assert "failurePolicy: Fail" in page
    assert re.search(r"Only watched.*payments", page)
    assert "resource.k8s.io" in page


def test_coverage_counts_all_that_was_there_before_git_declared_it_and_shows_some(
    state: State, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "REPORT_PAGE", 2)
    before = DriftItem("", "f", "apps/v1", "Deployment", "shop", "", "drifted", last_seen="2030-01-01T00:00:00Z")
    named = [replace(before, id=f"{number}", name=f"old-{number}", adopted=False) for number in range(1_005)]
    put_findings(state, [*named, replace(before, id="new", name="new")])
    text = get("/coverage").text
    assert text.count("it was there before Git declared it") == 2
    assert "and 1,003 more" in text


def test_grants_rules_and_sources_say_why(morning: State, get: Get) -> None:
    grants = get("/grants").text
    assert grants.index("pat-0102-0200-7c1d") < grants.index("Over") < grants.index("oncall-0101-2210-aa04")
    assert "approved by lena" in grants
    assert "old-sidecar" in get("/rules").text
    sources = get("/sources").text
    assert "helm/templates/psp.yaml:14: nil pointer" in sources
    assert "setscrew enforce payments" in sources


def test_what_is_not_watched_is_said_at_the_head_and_what_watches_know_counts() -> None:
    metadata = {"observedAt": "2030-01-02T03:00:00Z", "currentAt": "2030-01-02T03:04:00Z", "stale": False}
    found = trust({"metadata": metadata, "summary": {"unwatched": {"apps/Deployment": "forbidden"}}}, "default", NOW)
    assert (found.observed, found.seconds) == ("2030-01-02T03:04:00Z", 5)
    assert [(one.loud, one.lines) for one in found.warnings] == [(True, ("apps/Deployment: forbidden",))]


# What to do about a finding


def commands(item: DriftItem | dict[str, Any]) -> list[list[str]]:
    given = item.as_json() if isinstance(item, DriftItem) else item
    return [shlex.split(one) for step in Shown(given).steps for one in step.commands]


def test_a_command_that_is_copied_says_what_it_says_whatever_the_names_are() -> None:
    evil = '-x\'; rm -rf "$HOME"; `id`\n#'
    item = DriftItem("1", "f", "apps/v1", "Deployment", evil, evil, "drifted", patch=({"op": "add", "path": evil},))
    patch = commands(item)[0]
    assert patch[:2] == ["kubectl", "patch"]
    assert patch[2] == f"deployment.apps/{evil}"
    assert patch[3:5] == ["-n", evil]
    assert json.loads(patch[-1].removeprefix("--patch=")) == [{"op": "add", "path": evil}]


def test_what_git_does_not_declare_is_removed_and_what_is_unknown_is_only_asked_about() -> None:
    for state in ("extra", "orphaned"):
        assert commands(DriftItem("1", "f", "v1", "ConfigMap", "a", "b", state)) == [
            ["kubectl", "delete", "configmap/b", "-n", "a"]
        ]
    assert commands(DriftItem("1", "f", "v1", "ConfigMap", "a", "b", "unknown")) == [
        ["setscrew", "explain", "configmap/b", "-n", "a"]
    ]


def test_where_a_value_is_not_shown_the_declaration_is_applied_and_no_mask_is_written() -> None:
    item = next(one for one in sample_report.findings(NOW) if one.kind == "Secret")
    first = commands(item)[0]
    assert first[:3] == ["git", "show", f"{sample_report.COMMITS['shop']}:deploy/prod/payments.yaml"]
    assert "***" not in json.dumps(commands(item))


def test_a_step_names_its_object_as_our_own_words_do() -> None:
    item = next(iter(sample_report.findings(NOW))).as_json()
    assert str(undo.ref_of(item)) == "DeviceClass.resource.k8s.io a100-mig"


@pytest.mark.parametrize(
    ("desired", "live", "lines"),
    [
        (1, 2, ["-1", "+2"]),
        ("1", 1, ['-"1"', "+1"]),
        ("a\nb\nc", "a\nB\nc", [" a", "-b", "+B", " c"]),
        ({"a": 1}, None, ["-{", '-  "a": 1', "-}"]),
        ("***", "***", []),
        ("", "x", ['-""', "+x"]),
    ],
)
def test_a_diff_shows_what_changed_line_by_line(desired: Any, live: Any, lines: list[str]) -> None:
    sides = {name: value for name, value in (("desired", desired), ("live", live)) if value is not None}
    item = {"changes": [{"path": "/x", "op": "replace", **sides}]}
    assert [line.text for line in Shown(item).panes[0].diff] == lines


# What is drawn and counted


def test_a_day_on_which_anything_happened_is_seen_and_none_is_higher_than_the_chart() -> None:
    days = [Day("2030-01-01", counted=False), Day("2030-01-02"), Day("2030-01-03", 1), Day("2030-01-04", 1_000)]
    drawn = chart(days, "found")
    assert [bar.height for bar in drawn.bars] == [1, 1, 3, drawn.height]
    assert [bar.counted for bar in drawn.bars] == [False, True, True, True]
    assert (drawn.total, drawn.today, drawn.since) == (1_001, 1_000, "2 Jan 2030")
    assert drawn.label == "1,001 found in 3 days, 1,000 of them today, at most 1,000 a day"
    assert chart([], "found").bars == ()


@pytest.mark.parametrize(
    ("managed", "unmanaged", "text"),
    [(0, 0, "–"), (1, 0, "100 %"), (999, 1, "99 %"), (1, 999, "< 1 %"), (0, 5, "0 %"), (96, 4, "96 %")],
)
def test_a_share_is_never_whole_where_something_is_missing(managed: int, unmanaged: int, text: str) -> None:
    assert coverage.percent(managed, unmanaged) == text


def test_a_page_that_cannot_be_made_says_so_and_nothing_of_the_inside(
    morning: State, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("webhook.api.pages.coverage.kinds", broken)
    page = get("/coverage")
    assert (page.status_code, page.content_type) == (500, "text/html; charset=utf-8")
    assert "hunter2" not in page.text
    assert "/" in list(links(page))


def test_in_a_cluster_it_is_said_whose_answers_are_shown(morning: State, get: Get, asked: Asked) -> None:
    settings = ApiSettings(token=b"swordfish", now=lambda: NOW, callers=lambda *_: frozenset())
    there = create_api_app(StoredState(morning), settings, asked).test_client()
    headers = {"Authorization": "Bearer swordfish"}
    words = "what this replica has answered, and the others since it leads"
    assert words in there.get("/denials", headers=headers).text
    assert words not in get("/denials").text


def test_what_a_policy_does_not_refuse_is_not_called_refused(morning: State, get: Get) -> None:
    assert "as its policy says" in get(OBJECT).text
    assert "changes away from Git are refused" not in get(OBJECT).text
