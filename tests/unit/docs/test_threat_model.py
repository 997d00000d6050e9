"""Holds docs/threat-model.md to the tests: each threat names what stops it, and tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
ROWS = [
    [cell.strip() for cell in row.strip("|").split(" | ")]
    for row in re.findall(r"^\| (?!---).*\|$", PAGE, re.MULTILINE)
    if not row.endswith("| proof |")
]


def in_code() -> set[str]:
    """Names of all tests."""
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        found |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return found


def test_each_row_says_what_is_tried_what_stops_it_and_what_proves_it() -> None:
    assert len(ROWS) > 50
    assert [row for row in ROWS if len(row) != 3 or not all(row) or not re.search(r"`test_\w+`", row[2])] == []


def test_each_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert sorted(named - in_code()) == []


def test_each_actor_has_rows() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    empty = [text.partition("\n")[0] for text in sections if "| proof |" not in text]
    assert empty == ["What is left"]
