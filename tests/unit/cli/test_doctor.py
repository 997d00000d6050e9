"""`setscrew doctor` as a command: what it prints, and with which status it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from setscrew.cli import doctor, main
from setscrew.doctor.examine import CHECKS, INSTALLED
from setscrew.doctor.facts import Disk, Facts
from tests.support.healthy import HEALTHY, nothing

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "doctor.md"


def run(monkeypatch: pytest.MonkeyPatch, facts: Facts, *options: str) -> tuple[int, str]:
    monkeypatch.setattr(doctor, "gather", lambda _: facts)
    done = CliRunner().invoke(main, ["doctor", *options])
    return done.exit_code, done.stdout


def broken() -> Facts:
    return replace(HEALTHY, disk=Disk(0, 1))


def test_the_status_is_that_of_the_gravest_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [run(monkeypatch, facts)[0] for facts in (HEALTHY, broken(), nothing())] == [0, 1, 3]


def test_the_table_shows_each_finding_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = run(monkeypatch, broken())
    assert [name for name in CHECKS if f"\n{name} " not in text] == []
    assert "→ make room" in text


def test_json_and_yaml_hold_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(run(monkeypatch, broken(), "-o", "json")[1])
    assert yaml.safe_load(run(monkeypatch, broken(), "-o", "yaml")[1]) == found
    assert found["summary"] == {"ok": len(found["findings"]) - 1, "warning": 0, "problem": 1, "unknown": 0}
    assert set(found["findings"][0]) == {"check", "state", "what", "fix"}


def test_the_page_explains_every_check() -> None:
    text = PAGE.read_text()
    assert [name for name in CHECKS if f"\n### {name}\n" not in text] == []


def test_the_page_explains_every_check_of_an_installation_in_a_cluster() -> None:
    _, _, text = PAGE.read_text().partition("\n## In a cluster\n")
    assert [name for name in INSTALLED if f"\n| {name} |" not in text] == []
