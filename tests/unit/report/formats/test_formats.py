"""Each format is what its readers parse, says all findings, and nothing in it can be taken for more than text."""

from __future__ import annotations

import csv
import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from reconciler.limits import OPENREPORTS_RESULTS
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import IgnoredField
from reconciler.report.formats.cells import neutral
from reconciler.report.formats.markdown import code
from reconciler.report.formats.registry import FORMATS, render
from reconciler.report.formats.report import Report
from reconciler.report.in_sync import in_sync_item
from tests.unit.report.formats.conftest import EVIL, finding, reported


def text_of(name: str, report: Report) -> str:
    return "".join(render(name, report))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_names_every_object_and_says_when_the_report_is_stale(name: str, report: Report) -> None:
    text = text_of(name, report)
    # Metrics name no objects.
    assert all(word in text for word in (("ConfigMap",) if name == "prom" else ("web", "n1", "ConfigMap")))
    stale = text_of(name, reported(finding(), stale="last compared in the year 2020"))
    assert name in {"csv", "openreports", "prom"} or "last compared in the year 2020" in stale


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"json", "ndjson", "yaml", "cloudevents"}))
def test_no_format_for_people_holds_what_a_terminal_would_obey(name: str) -> None:
    text = text_of(name, reported(finding(name="\x1b[2J\x9b", reason="\x07\u202e", state="unknown")))
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", text)


@pytest.mark.parametrize("name", FORMATS)
def test_a_report_without_findings_is_whole_in_every_format(name: str) -> None:
    empty = reported()
    text = text_of(name, empty)
    if name in {"json", "openreports"}:
        assert json.loads(text)["items"] == []
    elif name == "yaml":
        assert yaml.safe_load(text)["items"] == []
    else:
        assert "web" not in text


@pytest.mark.parametrize("name", ["json", "yaml"])
def test_data_is_the_report_itself(name: str, report: Report) -> None:
    found = yaml.safe_load(text_of(name, report)) if name == "yaml" else json.loads(text_of(name, report))
    assert found["items"] == list(report.items())
    assert {key: value for key, value in found.items() if key != "items"} == report.head


def test_many_findings_are_one_list_whatever_the_pieces() -> None:
    many = reported(*(finding(name=f"w{number}") for number in range(450)))
    assert len(json.loads(text_of("json", many))["items"]) == 450
    assert len(text_of("ndjson", many).splitlines()) == 451


def test_lines_of_json_begin_with_the_envelope_so_that_nothing_looks_in_sync(report: Report) -> None:
    head, *items = map(json.loads, text_of("ndjson", report).splitlines())
    assert (head["kind"], head["metadata"]["stale"]) == ("DriftList", False)
    assert items == list(report.items())


@pytest.mark.parametrize("name", ["json", "ndjson", "yaml"])
def test_fields_cut_findings_down(name: str, report: Report) -> None:
    cut = Report(report.head, report.texts, ("name", "state"))
    text = text_of(name, cut)
    items = [json.loads(line) for line in text.splitlines()[1:]] if name == "ndjson" else yaml.safe_load(text)["items"]
    assert items[0] == {"name": "web", "state": "drifted"}


def test_a_sheet_has_a_row_a_finding_and_runs_nothing(report: Report) -> None:
    rows = list(csv.DictReader(text_of("csv", report).splitlines()))
    assert [row["kind"] for row in rows] == ["Deployment", "ConfigMap", "Node"]
    assert (rows[0]["fields"], rows[0]["team"], rows[0]["user"]) == ("2", "vision", "dana")
    assert rows[1]["name"].startswith("'=cmd")
    chosen = Report(report.head, report.texts, ("name", "owner"))
    assert text_of("csv", chosen).splitlines()[0] == "name,team,costCenter,contact"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1", "-2+3+cmd|' /C calc'!A0"])
def test_a_cell_that_a_sheet_would_compute_is_text(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["web", "a=b", "spec.replicas", "", 5, -5])
def test_any_other_cell_stays_as_it_is(cell: Any) -> None:
    assert neutral(cell) == cell


def test_a_diff_shows_lines_of_a_long_text_and_both_values_of_a_short_one(report: Report) -> None:
    lines = text_of("diff", report).splitlines()
    assert lines[:2] == ["--- Git: Deployment shop/web (deploy/a b.yaml:12)", "+++ live: drifted"]
    assert lines[2:5] == ["@@ spec.replicas @@", "-3", "+5"]
    assert lines[5:11] == ["@@ data.x @@", "@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]


def test_markdown_keeps_hostile_names_in_code(report: Report) -> None:
    text = text_of("markdown", report)
    unfenced = re.sub(r"^(```+)diff$.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", unfenced)
    for sign in ("<b>", "@team", "calc"):
        assert sign in text
        assert sign not in outside
    assert all(row.replace("\\|", "").count("|") == 8 for row in text.splitlines() if row.startswith("| "))


@pytest.mark.parametrize("text", ["plain", "`", "``x`", " a ", "a`b``c", "|", EVIL.replace("\n", " ")])
def test_a_code_span_is_closed_by_its_own_ticks_only(text: str) -> None:
    span = code(text)
    ticks = re.match("`+", span)
    assert ticks
    inside = span[ticks.end() : -ticks.end()]
    assert ticks[0] not in re.findall("`+", inside)
    assert inside.replace("\\|", "|").strip() == text.strip()


def test_junit_counts_unknown_as_an_error_and_staleness_too(report: Report) -> None:
    root = ET.fromstring(text_of("junit", report))  # noqa: S314 - our own text
    assert root.attrib | {"tests": "4", "failures": "2", "errors": "1"} == root.attrib
    suites = {suite.attrib["name"]: suite for suite in root}
    assert list(suites) == ["report", "(cluster)", "ev-il", "shop"]
    (case,) = suites["shop"]
    assert case.attrib == {"classname": "default.apps.Deployment", "name": "shop/web", "file": "deploy/a b.yaml"}
    assert case[0].attrib == {"type": "drift", "message": "2 fields"}
    assert "@@ spec.replicas @@" in (case[0].text or "")
    assert [child.tag for child in suites["(cluster)"][0]] == ["error"]
    stale = ET.fromstring(text_of("junit", reported(stale="old")))  # noqa: S314 - as above
    assert (stale.attrib["tests"], stale.attrib["errors"]) == ("1", "1")


JUNIT = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped"}, {"testcase"}),
    "testcase": ({"name", "classname"}, {"failure", "error", "skipped"}),
    "skipped": ({"message"}, set()),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
}


KEPT = finding(
    name="kept",
    state="orphaned",
    severity="info",
    severity_reason="Git says that it stays: helm.sh/resource-policy: keep",
)


def in_sync(kind: str = "ConfigMap", group: str = "", name: str = "fine", namespace: str = "shop") -> dict[str, Any]:
    return in_sync_item(ObjectRef(group, kind, namespace, name), "shop", adopted=True, cluster="default")


def with_in_sync(report: Report) -> Report:
    more = [json.dumps(in_sync()), json.dumps(in_sync("Widget", "example.com"))]
    return Report(report.head, [*report.texts, *more])


def test_what_is_in_sync_has_passed_and_what_git_lets_stay_is_skipped() -> None:
    both = with_in_sync(reported(finding(), KEPT))
    root = ET.fromstring(text_of("junit", both))  # noqa: S314 - our own text
    assert root.attrib | {"tests": "5", "failures": "1", "errors": "0", "skipped": "1"} == root.attrib
    cases = {case.attrib["classname"]: [one.tag for one in case] for case in root.iter("testcase")}
    assert (cases["default.core.ConfigMap"], cases["default.example.com.Widget"]) == ([], [])
    (skipped,) = root.iter("skipped")
    assert "helm.sh/resource-policy" in skipped.attrib["message"]
    (one,) = json.loads(text_of("openreports", both))["items"]
    assert one["summary"] == {"pass": 2, "fail": 1, "warn": 0, "error": 0, "skip": 1}
    passed = next(result for result in one["results"] if result["result"] == "pass")
    assert (passed["rule"], passed["timestamp"]["seconds"] > 0, "who" in passed["properties"]) == (
        "in-sync",
        True,
        False,
    )


def test_a_result_of_what_is_in_sync_has_passed_in_sarif_too() -> None:
    (result,) = json.loads(text_of("sarif", Report(reported().head, [json.dumps(in_sync())])))["runs"][0]["results"]
    assert (result["kind"], result["level"]) == ("pass", "none")


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"prom"}))
def test_every_format_can_name_what_is_in_sync(name: str) -> None:
    assert "fine" in text_of(name, with_in_sync(reported(finding())))


def test_a_diff_names_the_fields_that_rules_hide_to_who_asks_for_them() -> None:
    text = text_of(
        "diff", reported(finding(ignored=(IgnoredField("spec.clusterIP", "allocated", "r-1", "the server's"),)))
    )
    assert "# hidden by rule r-1: spec.clusterIP (the server's)\n" in text


def test_junit_has_the_elements_and_attributes_that_readers_of_it_require(report: Report) -> None:
    whole = with_in_sync(Report(report.head, [*report.texts, *reported(KEPT).texts]))
    for element in ET.fromstring(text_of("junit", whole)).iter():  # noqa: S314 - as above
        required, children = JUNIT[element.tag]
        assert required <= element.attrib.keys()
        assert {child.tag for child in element} <= children


def test_openreports_are_one_a_namespace_and_source_and_hold_what_the_api_has() -> None:
    many = [finding(name=f"w{number}") for number in range(OPENREPORTS_RESULTS + 1)]
    unknown = finding("Node", "n1", "unknown", namespace="", severity="critical")
    found = json.loads(text_of("openreports", reported(*many, unknown)))
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    kinds = [(one["kind"], one["metadata"].get("namespace"), len(one["results"])) for one in found["items"]]
    assert kinds == [("ClusterReport", None, 1), ("Report", "shop", OPENREPORTS_RESULTS), ("Report", "shop", 1)]
    assert len({one["metadata"]["name"] for one in found["items"]}) == 3
    for one in found["items"]:
        assert re.fullmatch("[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", one["metadata"]["name"])
        assert one["summary"] == {"pass": 0, "warn": 0, "skip": 0} | {
            name: sum(result["result"] == name for result in one["results"]) for name in ("fail", "error")
        }
        assert one.keys() == {"apiVersion", "kind", "metadata", "source", "summary", "results"}
        for result in one["results"]:
            assert result["result"] in {"fail", "error"}
            assert result["severity"] in {"critical", "high", "medium", "low", "info"}
            assert result["resources"][0].keys() <= {"apiVersion", "kind", "namespace", "name"}
            assert all(isinstance(value, str) for value in result["properties"].values())
            assert result["timestamp"] == {"seconds": 1893553200, "nanos": 0}
