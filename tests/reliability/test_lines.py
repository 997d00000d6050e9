"""Holds docs/reference/reliability.md to the tests: each of its 43 lines is one, and each name on it is a test."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "reliability.md").read_text()
LINES = range(1, 44)
NUMBERED = re.compile(r"test_line_(\d\d)_\w+")


def in_code() -> dict[int, set[str]]:
    """Names of the tests of each line, as the code has them."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        names = (node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
        for numbered in filter(None, map(NUMBERED.fullmatch, names)):
            found[int(numbered[1])].add(numbered[0])
    return found


def on_the_page() -> dict[int, set[str]]:
    """Names of tests below the heading of each line, as the page has them."""
    parts = re.split(r"^### (\d+)\. .*$", PAGE, flags=re.MULTILINE)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {int(number): set(re.findall(r"`(test_line_\w+)`", text)) for number, text in pairs}


def test_each_line_stands_once_on_the_page() -> None:
    assert [int(number) for number in re.findall(r"^### (\d+)\. ", PAGE, re.MULTILINE)] == list(LINES)


def test_each_line_is_a_test() -> None:
    tests = in_code()
    assert [number for number in LINES if not tests[number]] == []


def test_the_page_names_each_test_at_its_line_and_no_other() -> None:
    assert on_the_page() == in_code()


def test_line_35_each_verb_has_a_row() -> None:
    rows = yaml.safe_load((ROOT / "tests" / "cases" / "walks" / "kubectl.yaml").read_text())
    runs = [row["run"] for row in rows if row.get("line") == 35]
    applied = ("apply -f", "apply --server-side", "--prune", "replace -f", "replace --force", "edit")
    patched = ("--type=json", "--type=merge", "patch deploy web -n shop -p")
    named = ("scale", "label", "annotate", "set image", "rollout restart", "rollout undo")
    assert [verb for verb in (*applied, *patched, *named) if not any(verb in run for run in runs)] == []
