"""README says with which Kubernetes it was tried, as it was run; commands and pages name the same minors."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from setscrew.controlplane.pins import TOOLS_BY_MINOR
from setscrew.installing.versions import TESTED_KUBERNETES

ROOT = Path(__file__).parents[3]
TESTED = [f"{major}.{minor}" for major, minor in TESTED_KUBERNETES]


@pytest.fixture(scope="module")
def compat() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compat", ROOT / "tools" / "compat.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["compat"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(compat: ModuleType, page: str) -> list[list[str]]:
    begin, end = compat.MARKS
    lines = page.partition(begin)[2].partition(end)[0].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| 1.")]


def test_readme_tells_what_was_run_with_each_tested_minor_and_nothing_failed(compat: ModuleType) -> None:
    found = rows(compat, (ROOT / "README.md").read_text())
    assert [row[0] for row in found] == TESTED
    assert [row[1] for row in found] == [TOOLS_BY_MINOR[minor]["kube-apiserver"].module.version for minor in TESTED]
    assert {row[4] for row in found} == {"0"}
    doctor = (ROOT / "docs" / "reference" / "doctor.md").read_text()
    assert f"Tested are Kubernetes {', '.join(TESTED)} (" in doctor.replace("[", "")


def test_of_several_runs_of_a_file_the_last_one_counts(compat: ModuleType) -> None:
    first, second, *_ = compat.CHOSEN
    runs = [
        compat.Run("1.36", "1.36.3", first, 10, 2, 1),
        compat.Run("1.35", "1.35.4", first, 8, 0, 0),
        compat.Run("1.36", "1.36.3", first, 10, 0, 1),
        compat.Run("1.36", "1.36.3", second, 5, 1, 0),
        compat.Run("1.36", "1.36.3", "test_that_is_gone.py", 5, 5, 0),
    ]
    files = len(compat.CHOSEN)
    page = compat.placed("\n".join(compat.MARKS), compat.table(runs), compat.MARKS)
    assert rows(compat, page) == [
        ["1.36", "1.36.3", f"2 of {files}", "13", "1", "1"],
        ["1.35", "1.35.4", f"1 of {files}", "8", "0", "0"],
    ]


def test_what_pytest_wrote_down_is_counted_file_by_file(compat: ModuleType, tmp_path: Path) -> None:
    cases = [
        ("test_a", "one[x]", ""),
        ("test_a", "two", "<failure/>"),
        ("test_a", "two", "<error/>"),
        ("test_a", "three", "<skipped/>"),
        ("test_b", "two", "<error/>"),
        ("test_b", "three", ""),
    ]
    said = [f'<testcase classname="tests.integration.{at}" name="{name}">{how}</testcase>' for at, name, how in cases]
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{''.join(said)}</testsuite></testsuites>")
    assert compat.read(report) == {"test_a.py": (3, 1, 1), "test_b.py": (2, 1, 0)}


def test_a_report_of_all_tests_counts_for_the_files_that_are_chosen_whole(
    compat: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compat, "built", lambda minor: f"{minor}.3")
    files = ("test_levers", "test_levers", "test_control_plane", "test_of_something_else")
    said = [f'<testcase classname="tests.integration.{file}" name="{number}"/>' for number, file in enumerate(files)]
    (tmp_path / "report.xml").write_text(f"<testsuite>{''.join(said)}</testsuite>")
    runs = compat.taken(tmp_path / "report.xml", "1.36")
    assert runs == [compat.Run("1.36", "1.36.3", "test_levers.py", 2, 0, 0)]
    assert compat.keep(runs, tmp_path / "kept") == 0
    assert compat.kept(tmp_path / "kept") == runs


def test_only_files_that_share_a_control_plane_are_run_together(compat: ModuleType) -> None:
    alone, shared, too = "test_install.py", "test_discovery.py", "test_control_plane.py::test_gpu_classes_are_served"
    assert list(compat.batches([alone, shared, too])) == [(shared, too), (alone,)]
    assert list(compat.batches([alone])) == [(alone,)]
    assert sorted(one for batch in compat.batches(compat.CHOSEN) for one in batch) == sorted(compat.CHOSEN)


def test_every_test_that_is_chosen_is_there(compat: ModuleType) -> None:
    for one in compat.CHOSEN:
        file, _, name = one.partition("::")
        assert f"def {name}" in (ROOT / "tests" / "integration" / file).read_text()
