"""Each rule about GPU classes, by repositories that break it and that keep it: tests/cases/gpu/rules.

`<RULE>.fail[.words].yaml` must be found by that rule; in `<RULE>.pass[.words].yaml` it finds nothing, and no rule finds
an error. A file is one repository; a document `{kind: List, metadata: {name: live}, items: [...]}` holds what is live,
and one of the name `retired` what the revision before declared and this one does not.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from reconciler.gpu.rules import MODULES, RULES
from tests.support.gpu_cases import CASES, found


def files(outcome: str) -> list[object]:
    named = sorted(file for file in CASES.glob("*.yaml") if file.name.split(".")[1] == outcome)
    return [pytest.param(file, file.name.split(".")[0], id=file.stem) for file in named]


@pytest.mark.parametrize(("file", "rule"), files("fail"))
def test_a_repository_that_breaks_the_rule_is_found(file: Path, rule: str) -> None:
    assert rule in {problem.rule for problem in found(file)}


@pytest.mark.parametrize(("file", "rule"), files("pass"))
def test_a_repository_that_keeps_the_rule_is_left_alone(file: Path, rule: str) -> None:
    assert [problem for problem in found(file) if problem.rule == rule or problem.severity == "error"] == []


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in sorted(CASES.glob("*.yaml"))])
def test_what_is_found_can_be_shown(file: Path) -> None:
    for problem in found(file):
        assert problem.rule in RULES
        assert problem.severity in {"error", "warning"}
        assert problem.ref.name
        for text in (problem.message, problem.fix):
            assert text.strip() == text != ""
            assert len(text.splitlines()) == 1


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in sorted(CASES.glob("*.fail*.yaml"))])
def test_fixes_are_said_in_one_form(file: Path) -> None:
    for problem in found(file):
        first = problem.fix.split()[0]
        assert first == first.lower(), problem.fix
        assert not problem.fix.endswith("."), problem.fix


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_has_a_case_that_breaks_it_and_one_that_keeps_it(rule: str) -> None:
    outcomes = {file.name.split(".")[1] for file in CASES.glob(f"{rule}.*.yaml")}
    assert outcomes == {"fail", "pass"}


def test_case_files_are_named_for_a_rule_and_an_outcome() -> None:
    strange = [file.name for file in CASES.glob("*.yaml") if file.name.split(".")[1] not in {"fail", "pass"}]
    assert strange == []


def test_no_rule_id_is_taken_twice() -> None:
    times = Counter(rule for module in MODULES for rule in module.RULES)
    assert [rule for rule, count in times.items() if count > 1] == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_of_rules_calls_something_and_says_what_each_rule_asks_for(module: object) -> None:
    assert module.CHECKERS  # type: ignore[attr-defined]
    for rule, title in module.RULES.items():  # type: ignore[attr-defined]
        assert rule
        assert len(title.splitlines()) == 1
