"""Holds docs/reference/security-checklist.md to the tests: each line names tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "security-checklist.md").read_text()
ROWS = [
    [cell.strip() for cell in row.strip("|").split(" | ")]
    for row in re.findall(r"^\| (?!---|line \|).*\|$", PAGE, re.MULTILINE)
]
HERE = ("integration/test_hostile_repositories.py", "integration/test_kustomize_hostile.py")


def in_code(*paths: Path) -> set[str]:
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text())))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_each_line_says_what_becomes_of_it_and_names_a_test() -> None:
    assert len(ROWS) > 20
    assert [row for row in ROWS if len(row) != 3 or not all(row) or not re.search(r"`test_\w+`", row[2])] == []


def test_each_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert sorted(named - in_code(*(ROOT / "tests").rglob("test_*.py"))) == []


def test_each_test_with_a_hostile_repository_is_named() -> None:
    below = {"test_kustomize_finds_no_git", "test_old_and_new_fields_are_built_as_ever"}
    below |= {"test_bases_are_followed_so_deep_and_no_deeper", "test_bases_that_multiply_are_stopped"}
    below |= {"test_a_pointer_of_lfs_is_named", "test_a_file_that_is_too_large_is_named"}
    found = in_code(*(ROOT / "tests" / name for name in HERE))
    assert sorted(found - below - set(re.findall(r"`(test_\w+)`", PAGE))) == []
