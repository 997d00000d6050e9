"""The catalogue of differences, case by case: tests/cases/compare/ says what Git and live hold, and what is drift.

Each case is put through `setscrew compare` as a person would. Only child processes are spared, for the sake of a
thousand starts: what parses YAML answers in this process, and nobody looks for renderers.
"""

from __future__ import annotations

import ast
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner, Result

from reconciler.render import child, parsing
from setscrew import configuration, controlplane
from setscrew.cli import main
from tests.support.tools import tool

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "tests" / "cases" / "compare").glob("*.yaml"))
_INPUTS = ("desired", "live", "context", "rules")
_DOCUMENTS = configuration.documents
Case = dict[str, Any]


def load(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(file.read_text("utf-8"), yaml.CSafeLoader)
    return found


CLASSES = {file.stem: load(file) for file in FILES}


def cases() -> Iterator[Any]:
    for name, content in CLASSES.items():
        for case in content.get("cases", ()):
            yield pytest.param(case, id=f"{name}: {case['title']}")


def held_elsewhere() -> Iterator[Any]:
    for name, content in CLASSES.items():
        for test in content.get("held_by", ()):
            yield pytest.param(test, id=f"{name}: {test}")


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same lines through the same JSON as from the child, and the built-in policies read once."""

    def ask(_: Path, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for line in child.answer(job):
            yield parsing.decode(msgspec.json.encode(line))

    monkeypatch.setattr(parsing, "_ask", ask)
    monkeypatch.setattr(controlplane, "find", lambda _: None)
    monkeypatch.setattr(configuration, "documents", documents)


@functools.cache
def kept(place: Path) -> list[configuration.Document]:
    return list(_DOCUMENTS(place))


def documents(place: Path) -> list[configuration.Document]:
    return kept(place) if place == configuration.builtin_policies() else list(_DOCUMENTS(place))


def compare(case: Case, directory: Path) -> Result:
    arguments = ["compare", "-o", "json"]
    for name in _INPUTS:
        if name in case:
            file = directory / f"{name}.yaml"
            file.write_bytes(case[name].encode())
            arguments += [f"--{name}", str(file)]
    if "renderer" in case:
        arguments += ["--renderer", case["renderer"]]
    return CliRunner().invoke(main, arguments)


def by_place(changes: list[dict[str, str]]) -> list[dict[str, str]]:
    """Cases say what is reported, not in which order: that an order is kept is tested with the command."""
    return sorted(changes, key=lambda one: (one.get("object", ""), one["path"], one.get("embedded", ""), one["op"]))


@pytest.mark.parametrize("case", list(cases()))
def test_what_is_drift(case: Case, tmp_path: Path) -> None:
    result = compare(case, tmp_path)
    if "error" in case:
        assert (result.exit_code > 1, result.stdout) == (True, "")
        assert case["error"] in result.stderr
        return
    assert result.exit_code in {0, 1}, result.output
    report = json.loads(result.stdout)
    told = ("object", "path", "embedded", "op", "class")
    shown = [{key: one[key] for key in told if key in one} for one in report["changes"]]
    assert (report["verdict"], by_place(shown)) == (case["verdict"], by_place(case.get("changes", [])))
    assert [note for note in case.get("notes", ()) if note not in "\n".join(report["notes"])] == []
    assert result.exit_code == (0 if case["verdict"] == "same" else 1)


@pytest.mark.parametrize("name", list(CLASSES))
def test_a_verdict_and_its_changes_say_one_thing(name: str) -> None:
    for case in CLASSES[name].get("cases", ()):
        assert ("error" in case) != ("verdict" in case), case["title"]
        assert (case.get("verdict") == "drift") == bool(case.get("changes")), case["title"]


@pytest.mark.parametrize("test", list(held_elsewhere()))
def test_a_class_that_is_held_elsewhere_names_a_test_that_exists(test: str) -> None:
    file, _, name = test.partition("::")
    assert (ROOT / file).is_file()
    names = {
        node.name for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))) if isinstance(node, ast.FunctionDef)
    }
    assert name in names


def test_the_pages_of_rules_and_cases_are_what_the_cases_say() -> None:
    made = tool("generate_class_table")
    stale = "run: .venv/bin/python tools/generate_class_table.py"
    assert made.RULES_PAGE.read_text("utf-8") == made.rules_page(), stale
    assert made.CASES_PAGE.read_text("utf-8") == made.cases_page(), stale


def test_every_class_is_documented_once() -> None:
    documented = tool("generate_class_table").documented()
    assert sorted(documented) == sorted(content["class"] for content in CLASSES.values())
