"""`setscrew gpu show PATH` over a repository: each class with its place, what there is of it, and who uses it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from setscrew.cli import main
from setscrew.gpu.table import FAMILIES

CASES = Path(__file__).parents[2] / "cases" / "gpu" / "show"
TABLE: list[dict[str, Any]] = yaml.safe_load((CASES / "table.yaml").read_text())
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "show-gpu-classes.md"
OUTSIDE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain, namespace: shop}\ndata: {a: b}\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    shutil.copytree(CASES / "repository", tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    for name in ("SETSCREW_STATE", "SETSCREW_STATE_DIR", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "repository"


def show(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["gpu", "show", *arguments])


def classes(*arguments: str) -> list[dict[str, Any]]:
    result = show(*arguments, "-o", "json")
    assert result.exit_code == 0, result.output
    return list(json.loads(result.stdout)["classes"])


def text(one: dict[str, str]) -> str:
    from setscrew.gpu.model import Capacity

    return str(Capacity(**{"name": "", "where": "", **one}))  # type: ignore[arg-type]


def named(found: list[dict[str, Any]], family: str, name: str) -> dict[str, Any]:
    (one,) = [one for one in found if (one["family"], one["name"]) == (family, name)]
    return one


def test_each_class_of_a_repository_has_its_place_and_what_there_is_of_it(repository: Path) -> None:
    shown = [
        {
            "class": f"{one['family']} {one['name']}".strip(),
            "by": one["definedBy"]["place"] if one["definedBy"] else "",
            "capacity": [text(line) for line in one["capacity"]],
        }
        for one in classes(".")
    ]
    assert shown == TABLE


def test_users_are_those_in_the_same_files_with_their_namespaces_and_owners(repository: Path) -> None:
    gold = named(classes("."), "Resource", "example.com/gold")
    assert gold["users"]["templates"] == 1
    assert gold["users"]["tenants"] == [{"namespace": "ml", "owner": "language", "users": 1}]
    assert gold["guarded"] is None
    assert re.search(
        r"Resource example\.com/gold .* 1 template.*in ml \(language\)", " ".join(show(".").stdout.split())
    )


def test_a_change_of_a_layout_waits_for_its_trigger_and_one_of_a_class_does_not(repository: Path) -> None:
    found = classes(".")
    layout, gold = named(found, "MigLayout", "halves"), named(found, "DeviceClass", "gold")
    assert (layout["effect"], gold["effect"], gold["trigger"]) == ("latent", "live", "")
    assert "relabelling" in layout["trigger"]


def test_every_format_has_the_same_classes(repository: Path) -> None:
    (listing,) = yaml.safe_load_all(show(".", "-o", "yaml").stdout)
    assert listing["classes"] == classes(".")
    table = show(".")
    assert all(f"{one['family']} {one['name']}".strip() in table.stdout for one in listing["classes"])
    assert "\x1b" not in table.stdout


def test_families_narrow_the_table_in_any_case(repository: Path) -> None:
    assert {one["family"] for one in classes(".", "--family", "miglayout", "--family", "Node")} == {"MigLayout", "Node"}


def test_the_page_names_every_family() -> None:
    families = PAGE.read_text("utf-8").partition("## Families")[2].partition("\n## ")[0]
    assert {family for family in FAMILIES if f"`{family}`" not in families} == set()


def test_a_file_without_a_class_is_an_empty_table(repository: Path) -> None:
    (repository / "plain.yaml").write_text(OUTSIDE)
    assert classes("plain.yaml") == []
    table = show("plain.yaml")
    assert (table.stdout, table.stderr) == ("", "setscrew: no GPU class was found in plain.yaml\n")


def test_a_quota_that_names_nothing_of_gpus_is_no_class(repository: Path) -> None:
    hard = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: cpu, namespace: ml}\nspec: {hard: {cpu: 4}}\n"
    (repository / "plain.yaml").write_text(hard)
    assert classes("plain.yaml") == []
    (repository / "plain.yaml").write_text(hard.replace("cpu: 4", "requests.nvidia.com/gpu: 4"))
    assert next(one["name"] for one in classes("plain.yaml") if one["family"] == "Resource") == "nvidia.com/gpu"


def test_what_names_no_namespace_is_in_that_of_the_release(repository: Path) -> None:
    template = (repository / "teams" / "ml.yaml").read_text().split("---")[2].replace(", namespace: ml", "")
    (repository / "one.yaml").write_text(template)
    assert [one["name"] for one in classes("one.yaml", "--family", "ClaimTemplate")] == ["default/pair"]
    assert [one["name"] for one in classes("one.yaml", "--family", "ClaimTemplate", "-n", "web")] == ["web/pair"]


def test_what_cannot_be_read_is_named_and_hides_nothing_else(repository: Path) -> None:
    (repository / "gpu" / "broken.yaml").write_text("apiVersion: v1\nkind: [\n")
    result = show(".", "-o", "json")
    listing = json.loads(result.stdout)
    assert [one["family"] for one in listing["classes"]] == [one["class"].split()[0] for one in TABLE]
    assert [place.partition(":")[0] for place in listing["unread"]] == ["gpu/broken.yaml"]
    assert "could not be read: gpu/broken.yaml" in result.stderr
    assert "nobody" not in show(".").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((".", "--family", "Mig"), "no family 'Mig'"),
        ((".", "--kubeconfig", "x"), "PATH and --kubeconfig are two questions"),
        (("--context", "gpu"), "--context needs PATH"),
        (("-n", "ml"), "--namespace needs PATH"),
        (("nowhere",), "does not exist"),
    ],
)
def test_wrong_use_is_one_line_and_no_table(repository: Path, arguments: tuple[str, ...], said: str) -> None:
    result = show(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_instance_that_does_not_answer_leaves_open_since_when_classes_are_guarded(repository: Path) -> None:
    (repository / "state").mkdir()
    result = show(".", "--state", "state", "-o", "json")
    assert result.exit_code == 0
    assert "since when classes are guarded is not known: " in result.stderr
    assert {one["guarded"] is None for one in json.loads(result.stdout)["classes"]} == {True}
