"""CloudEvents, OpenMetrics and the page: what their readers parse, and a stale report is never an empty one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from reconciler.report.drift import DriftSource
from reconciler.report.formats.openmetrics import LABELS
from reconciler.report.formats.registry import FORMATS, render
from reconciler.report.formats.report import Report
from reconciler.report.formats.webpage import POLICY
from tests.unit.report.formats.conftest import finding, reported
from tests.unit.report.formats.test_formats import in_sync


def text_of(name: str, report: Report) -> str:
    return "".join(render(name, report))


def events(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text_of("cloudevents", report))
    return found


def test_each_finding_is_an_event_that_says_what_it_is_about(report: Report) -> None:
    found = events(report)
    assert [one["subject"] for one in found[::2]] == ["apis/apps/v1/Deployment/shop/web", "apis/_/v1/Node/_/n1"]
    for one, item in zip(found, report.items(), strict=True):
        assert (one["specversion"], one["type"], one["data"]) == ("1.0", "dev.setscrew.drift.detected.v1", item)
        # What the specification requires, and how it names attributes.
        assert all(one[name] for name in ("id", "source", "type"))
        assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in one)
    assert len({(one["source"], one["id"]) for one in found}) == 1  # the findings of this report have one fingerprint


def test_a_finding_that_is_over_is_another_event_than_its_begin() -> None:
    begun, over = (events(reported(finding(resolved_at=at)))[0] for at in ("", "2030-01-02T03:04:00Z"))
    assert (over["type"], over["time"]) == ("dev.setscrew.drift.resolved.v1", "2030-01-02T03:04:00Z")
    assert (begun["time"], begun["id"] != over["id"]) == ("2030-01-01T00:00:00Z", True)


def test_a_batch_of_a_stale_report_is_not_empty() -> None:
    assert events(reported()) == []
    (only,) = events(reported(stale="last compared in the year 2020"))
    assert (only["type"], "2020" in only["data"]["reason"]) == ("dev.setscrew.report.stale.v1", True)


def test_what_is_in_sync_is_an_event_of_its_own_kind() -> None:
    (one,) = events(Report(reported().head, [json.dumps(in_sync("Widget", "example.com"))]))
    assert (one["type"], one["subject"]) == ("dev.setscrew.drift.in-sync.v1", "apis/example.com/_/Widget/shop/fine")


def samples(report: Report) -> Mapping[str, list[tuple[dict[str, str], float]]]:
    families = text_string_to_metric_families(text_of("prom", report))
    return {one.name: [(sample.labels, sample.value) for sample in one.samples] for one in families}


def test_metrics_count_findings_by_their_labels(report: Report) -> None:
    two = Report(report.head, [*report.texts, *reported(finding(name="other", severity="high")).texts])
    found = samples(two)
    counted = {tuple(labels[name] for name in LABELS): value for labels, value in found["setscrew_drift_resources"]}
    assert counted[("default", "shop", "apps", "Deployment", "shop", "drifted", "high")] == 2
    assert (sum(counted.values()), len(counted)) == (4, 3)
    ages = [value for _, value in found["setscrew_drift_oldest_seconds"]]
    assert ages == [27 * 3600 + 4 * 60 + 5] * 3
    assert found["setscrew_report_stale"] == [({}, 0.0)]


def test_metrics_of_a_stale_report_say_so_and_what_is_in_sync_is_not_counted() -> None:
    assert samples(reported(stale="old"))["setscrew_report_stale"] == [({}, 1.0)]
    fine = Report(reported().head, [json.dumps(in_sync())])
    assert samples(fine)["setscrew_drift_resources"] == []


@pytest.mark.parametrize("kind", ['a"b', "a\\b", "a\nb", 'a\\"}\n# EOF\nx 1', "a{b}"])
def test_no_name_ends_a_label(kind: str) -> None:
    ((labels, value),) = samples(reported(finding(kind)))["setscrew_drift_resources"]
    assert (labels["kind"].replace("\\n", "\n"), value) == (kind, 1)


@pytest.mark.parametrize("watched", [{"source": DriftSource("shop", enforced=False)}, {"adopted": False}])
def test_what_is_only_watched_is_a_warning_that_is_not_scored(watched: dict[str, Any]) -> None:
    report = reported(finding(name="one", **watched), finding("Node", "n1", "unknown", **watched), finding(name="two"))
    found = [result for one in json.loads(text_of("openreports", report))["items"] for result in one["results"]]
    told = {(one["resources"][0]["name"], one["result"], one["scored"]) for one in found}
    assert told == {("one", "warn", False), ("n1", "error", True), ("two", "fail", True)}


class _Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in {"src", "href", "style"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_holds_names_as_text_and_nothing_that_runs(report: Report) -> None:
    page = _Page(text_of("html", report))
    known = {"html", "head", "meta", "title", "style", "body", "h1", "p", "table", "tr", "th", "td", "pre"}
    assert set(page.tags) <= known
    assert "<b>" in page.text  # of a hostile name
    assert "spec.replicas" in page.text


def test_a_page_may_use_its_own_style_and_nothing_else(report: Report) -> None:
    text = text_of("html", report)
    (style,) = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY
    assert POLICY in text
    assert FORMATS["html"].policy == POLICY
