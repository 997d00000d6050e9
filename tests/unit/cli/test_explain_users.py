"""`setscrew explain` says who uses a GPU class before anybody changes it: the words of a refusal, without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.gpu.users import published
from reconciler.gpu.users.model import Census, ClassName, Tenant, Users
from reconciler.store.snapshot_file import publish
from setscrew.cli import main
from tests.support import decisions

USED = Users(running=7, namespaces=1, tenants=(Tenant("ml-platform", "team-vision", 7),), examples=("Pod ml/a",))
CENSUS = Census(
    "2030-01-01T00:00:00Z",
    {ClassName("DeviceClass", "gpu.example.com"): USED, ClassName("MigLayout", "halves"): USED},
)
CLASS, LAYOUTS = ("deviceclass/gpu.example.com",), ("configmap/mig", "-n", "shop")


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    (tmp_path / "secret-values.key").write_bytes(decisions.KEY)
    publish(decisions.snapshot(["deviceclass", "layouts", "config"]), tmp_path / "snapshots")
    (tmp_path / published.FILE).write_bytes(published.encode(CENSUS))
    (tmp_path / published.FILE).chmod(0o600)
    return tmp_path


def explained(state_dir: Path, *words: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["explain", *words, "--state", str(state_dir), "-o", "json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize("words", [CLASS, (*CLASS, "--field", "spec.selectors[0].cel.expression"), LAYOUTS])
def test_users_are_named_for_the_whole_and_for_a_field(state_dir: Path, words: tuple[str, ...]) -> None:
    answer = explained(state_dir, *words)
    assert any("ml-platform" in line for line in answer["gpu"]["lines"])
    assert {one["running"] for one in answer["gpu"]["classes"]} >= {7}
    text = CliRunner().invoke(main, ["explain", *words, "--state", str(state_dir)]).stdout
    assert any(line.startswith("  users") and "ml-platform" in line for line in text.splitlines())


def test_the_answer_to_the_change_has_the_same_words(state_dir: Path) -> None:
    answer = explained(state_dir, *CLASS, "--delete")
    assert set(answer["gpu"]["lines"]) <= set(answer["delete"]["message"].splitlines())


def test_without_a_published_count_nobody_is_said_to_use_it(state_dir: Path) -> None:
    (state_dir / published.FILE).unlink()
    lines = explained(state_dir, *CLASS)["gpu"]["lines"]
    assert any("not known" in line for line in lines)
    assert not any("Nobody" in line for line in lines)


def test_what_is_no_gpu_class_has_no_users(state_dir: Path) -> None:
    assert "gpu" not in explained(state_dir, "configmap/config", "-n", "shop")
