"""A field selector chooses findings by their members, as kubectl chooses objects; what is wrong with one is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from reconciler.errors import UsageError
from reconciler.limits import REPORT_SELECTORS
from reconciler.report.drift import DriftItem
from reconciler.report.field_selector import NAMES, parse_field_selector, selected

FOUND: Final = Path(__file__).parents[2] / "cases" / "report" / "field-selectors.yaml"
CASES: Final[dict[str, Any]] = yaml.safe_load(FOUND.read_text())


@pytest.mark.parametrize("text", CASES["cases"])
def test_a_selector_chooses_findings(text: str) -> None:
    asked = parse_field_selector(text)
    chosen = [name for name, one in CASES["findings"].items() if selected(json.dumps(one), asked)]
    assert chosen == CASES["cases"][text]


@pytest.mark.parametrize("text", [*CASES["wrong"], ",".join(["kind=Pod"] * (REPORT_SELECTORS + 1))])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_field_selector(text)


def test_whatever_can_be_selected_by_is_in_a_finding() -> None:
    finding = DriftItem("", "", "", "", "", "", "drifted").as_json()
    for name in NAMES:
        first, _, rest = name.removeprefix("metadata.").partition(".")
        assert first in finding
        assert not rest or rest in finding[first], name
