"""Codes of errors, their exit statuses, and the page that explains them agree."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import defaultdict
from pathlib import Path

import pytest

import reconciler
import setscrew
import webhook
from reconciler.errors import SetscrewError

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
CODE = re.compile(r'"(SS\d{4})"')
NOT_IMPORTED = ("__main__", "gunicorn_conf", "child")


def codes_in_source() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for package in ("reconciler", "webhook", "setscrew"):
        for path in (ROOT / package).rglob("*.py"):
            for code in CODE.findall(path.read_text("utf-8")):
                found[code].add(str(path.relative_to(ROOT)))
    return found


def error_classes() -> set[type[SetscrewError]]:
    for package in (reconciler, webhook, setscrew):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(NOT_IMPORTED):
                importlib.import_module(module.name)

    def below(one: type[SetscrewError]) -> set[type[SetscrewError]]:
        return {one}.union(*(below(child) for child in one.__subclasses__()))

    return {one for one in below(SetscrewError) if one.__module__.startswith(("reconciler", "webhook", "setscrew"))}


def explained() -> list[str]:
    return re.findall(r"^\| (SS\d{4}) \|", PAGE, re.MULTILINE)


def test_every_code_is_explained_once_and_no_other() -> None:
    assert sorted(explained()) == sorted(codes_in_source())


def test_every_class_of_errors_has_a_code_of_its_own() -> None:
    by_code: dict[str, list[str]] = defaultdict(list)
    for one in error_classes():
        if "code" in vars(one):
            by_code[one.code].append(one.__qualname__)
    assert {code: names for code, names in by_code.items() if len(names) > 1} == {}
    assert len(by_code) > 12


@pytest.mark.parametrize("shared", ["SS3009", "SS3010", "SS3011", "SS1001", "SS1002", "SS6001"])
def test_a_code_for_one_cause_is_raised_in_one_place(shared: str) -> None:
    given = re.compile(rf'code ?= ?"{shared}"')  # who only asks for the code of an error does not raise it
    assert len([path for path in codes_in_source()[shared] if given.search((ROOT / path).read_text("utf-8"))]) == 1


def test_no_error_looks_like_drift() -> None:
    statuses = {one.__qualname__: one.exit_status for one in error_classes()}
    assert {name: status for name, status in statuses.items() if status < 2} == {}
    for status in set(statuses.values()):
        assert re.search(rf"^\| {status} \|", PAGE, re.MULTILINE), f"exit status {status} is not explained"


def test_every_row_has_a_meaning_and_a_next_step() -> None:
    for row in re.findall(r"^\| SS\d{4} \|.*$", PAGE, re.MULTILINE):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert len(cells) == 3, row
        assert all(cell.endswith((".", "?", ").", "`.")) for cell in cells[1:]), row
