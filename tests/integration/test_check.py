"""What `setscrew check` says of a working copy is what keeps its push out, by the real reconciler and renderers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.loop.reconciler import Reconciler
from setscrew.cli import main
from setscrew.cli.common import tools
from setscrew.demo import repository
from setscrew.demo.repository import Repository
from setscrew.options import Options
from setscrew.reconcile import make
from tests.unit.loop.test_ruling import CLASS, IMPOSSIBLE, LAYOUT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SOURCE = """\
apiVersion: setscrew.dev/v1alpha1
kind: GitSource
metadata: {name: gpu}
spec: {url: "%s", ref: {branch: main}, path: gpu}
"""


@pytest.fixture
def deploy(tmp_path: Path) -> Repository:
    return repository.create(tmp_path / "deploy")


def write(place: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)


def findings(path: Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(main, ["check", str(path), "-o", "json"])
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    assert result.exit_code == any(one["severity"] == "error" for one in found)
    return found


def pushed(deploy: Repository, found: Reconciler, layout: str) -> str:
    """Commit and push a layout, and let the reconciler look; the state of the source."""
    write(deploy.work, {"gpu/layouts.yaml": layout})
    deploy.commit("A layout")
    deploy.push()
    found.sync()
    return found.sources.status["gpu"].state


def test_what_the_check_finds_keeps_the_push_out(deploy: Repository, tmp_path: Path) -> None:
    write(tmp_path, {"config/sources.yaml": SOURCE % deploy.url})
    found = make(Options(tmp_path / "state", tmp_path / "config", tools(), allow_local=True)).reconciler
    assert pushed(deploy, found, LAYOUT % (1, "")) == "Ready"
    assert findings(deploy.work) == []
    good = found.digest
    assert pushed(deploy, found, LAYOUT % (2, IMPOSSIBLE)) == "Held"
    assert found.digest == good
    (one,) = findings(deploy.work)
    message = found.sources.status["gpu"].message
    assert (one["rule"], one["line"], "SS3101" in message) == ("MIG-04", 12, True)
    assert [part for part in (one["rule"], one["object"], one["message"], one["fix"]) if part not in message] == []
    assert pushed(deploy, found, LAYOUT % (3, "")) == "Ready"


def test_each_chart_and_kustomization_is_rendered_and_what_fails_hides_nothing(deploy: Repository) -> None:
    write(
        deploy.work,
        {
            "charts/good/Chart.yaml": "apiVersion: v2\nname: good\nversion: 0.1.0\n",
            "charts/good/values.yaml": "one: one\n",
            "charts/good/templates/class.yaml": CLASS.replace("%s", "{{ .Values.one }}"),
            "charts/bad/Chart.yaml": "apiVersion: v2\nname: bad\nversion: 0.1.0\n",
            "charts/bad/templates/x.yaml": "a: {{ .Values.x | nope }}\n",
            "charts/open/Chart.yaml": "apiVersion: v2\nname: open\nversion: 0.1.0\n",
            "charts/open/templates/x.yaml": 'a: {{ required "say x" .Values.x }}\n',
            "base/kustomization.yaml": "resources: [layouts.yaml]\n",
            "base/layouts.yaml": LAYOUT % (1, IMPOSSIBLE),
            "overlays/prod/kustomization.yaml": "namePrefix: prod-\nresources: [../../base]\n",
            "overlays/test/kustomization.yaml": "resources: [../../base, missing.yaml, two.yaml]\n",
            "overlays/test/two.yaml": CLASS % "two",
        },
    )
    found = {
        (one["rule"], one["severity"], one["file"].removeprefix(f"{deploy.work}/")) for one in findings(deploy.work)
    }
    assert found == {
        ("SS3011", "error", "charts/bad/templates/x.yaml"),
        ("SS3011", "warning", "charts/open/templates/x.yaml"),
        ("SS3006", "error", "overlays/test/kustomization.yaml"),
        ("MIG-04", "error", "base/layouts.yaml"),
        ("DRA-04", "error", "charts/good/templates/class.yaml"),
        ("DRA-04", "error", "overlays/test/two.yaml"),
    }


def test_a_chart_that_wants_a_value_says_what_to_give_and_its_classes_are_named_as_unread(deploy: Repository) -> None:
    write(
        deploy.work,
        {
            "Chart.yaml": "apiVersion: v2\nname: open\nversion: 0.1.0\n",
            "templates/x.yaml": 'a: {{ required "say x" .Values.x }}\n',
        },
    )
    (one,) = findings(deploy.work)
    assert (one["severity"], "--values" in one["fix"]) == ("warning", True)
    result = CliRunner().invoke(main, ["gpu", "show", str(deploy.work)])
    assert (result.exit_code, result.stdout, "say x" in result.stderr) == (0, "", True)
