"""Owns what is read out of other tools' ignore lists, and that nothing of them is left out without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from setscrew import configuration
from setscrew.cli import main

CASES = Path(__file__).parents[2] / "cases" / "import"
FILES = {file.stem: yaml.safe_load(file.read_text()) for file in sorted(CASES.glob("*.yaml"))}


def run(tool: str, file: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["rules", "import", "--from", tool, *options, str(file)])


def written(tmp_path: Path, documents: list[Any]) -> Path:
    file = tmp_path / "list.yaml"
    file.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return file


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_a_list_becomes_rules_and_the_rest_is_named(case: Any, tmp_path: Path) -> None:
    result = run(case["from"], written(tmp_path, case["documents"]))
    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout)["rules"] == case["rules"]
    lines = result.stderr.splitlines()
    assert len(lines) == len(case.get("refused", ()))
    assert [why for why in case.get("refused", ()) if not any(why in line for line in lines)] == []


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_what_is_printed_is_a_document_of_ours(case: Any, tmp_path: Path) -> None:
    mine = tmp_path / "config" / "imported.yaml"
    mine.parent.mkdir()
    mine.write_text(run(case["from"], written(tmp_path, case["documents"]), "--owner", "team x").stdout)
    found = [mask for mask in configuration.load(mine).rules.masks if mask.id.startswith("imported-")]
    assert len(found) == len(case["rules"])
    assert {mask.owner for mask in found} == {"team x"}


def test_each_rule_has_room_for_a_last_day(tmp_path: Path) -> None:
    text = run("flux", written(tmp_path, FILES["flux"]["documents"])).stdout
    dated = text.replace("# expires: YYYY-MM-DD", "expires: 2027-01-31")
    assert [str(rule["expires"]) for rule in yaml.safe_load(dated)["rules"]] == ["2027-01-31"] * 2


@pytest.mark.parametrize(
    "documents", [[], [1], [{"kind": "Application"}], [{"kind": "Application", "spec": {"ignoreDifferences": 3}}]]
)
def test_a_file_without_a_list_is_no_success(documents: list[Any], tmp_path: Path) -> None:
    result = run("argocd", written(tmp_path, documents))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no rule can be imported" in result.stderr


def test_a_file_that_is_no_yaml_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("{")
    result = run("argocd", tmp_path / "list.yaml")
    assert result.exit_code > 1
    assert "not YAML" in result.stderr
