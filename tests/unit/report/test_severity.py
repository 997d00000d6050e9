"""The worst of what differs says how bad a finding is, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.model.tree import ABSENT
from reconciler.policy.model import Rules
from reconciler.report.drift import SEVERITIES, DriftChange, DriftItem
from reconciler.report.severity import FIELDS, KINDS, severity_of
from tests.support.decisions import builtin_rules

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases" / "findings" / "severity.yaml").read_text())


@pytest.fixture(scope="module")
def rules() -> Rules:
    return builtin_rules()


def item(case: dict[str, Any]) -> DriftItem:
    api_version, kind = case.get("kind", "apps/v1 Deployment").split(" ")
    change = DriftChange(case.get("path", ""), "replace", case.get("desired", ABSENT), case.get("live", ABSENT))
    return DriftItem(
        *("id", "print", api_version, kind, "shop", "web", case.get("state", "drifted")),
        changes=(change,) if "path" in case else (),
        gpu={"effect": case["gpu"]} if "gpu" in case else {},
        severity="info" if "given" in case else "medium",
        severity_reason=case.get("given", ""),
    )


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_finding_is_as_bad_as_the_worst_of_what_differs(case: dict[str, Any], rules: Rules) -> None:
    assert severity_of(item(case), rules) == (case["severity"], case["reason"])


def test_of_several_changes_the_worst_counts(rules: Rules) -> None:
    several = [case for case in CASES if "path" in case and case.get("kind") is None]
    changes = tuple(change for case in several for change in item(case).changes)
    found = severity_of(DriftItem("i", "f", "apps/v1", "Deployment", "n", "x", "drifted", changes=changes), rules)
    assert found[0] == min((case["severity"] for case in several), key=SEVERITIES.index)


def test_every_row_of_the_tables_has_a_case() -> None:
    reasons = {case["reason"] for case in CASES}
    assert [row.reason for row in (*KINDS, *FIELDS) if row.reason not in reasons] == ["with which rights Pods run"]
