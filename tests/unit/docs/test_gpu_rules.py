"""Holds the page on the rules about GPU classes to the rules themselves."""

from __future__ import annotations

from reconciler.gpu.rules import RULES
from tests.support.tools import tool


def test_the_page_says_what_the_rules_say() -> None:
    made = tool("generate_gpu_rules")
    assert made.PAGE.read_text("utf-8") == made.page(), "run: .venv/bin/python tools/generate_gpu_rules.py"


def test_each_rule_has_a_severity_that_a_case_shows() -> None:
    shown = tool("generate_gpu_rules").severities()
    assert {rule for rule, severity in shown.items() if not severity} == set()
    assert shown.keys() == RULES.keys()
