"""Holds that the built wheel is a whole Setscrew: installed by itself in a clean environment, far from the checkout.

Nothing is fetched: dependencies are those of the environment that runs the tests, behind the wheel on the path.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PLACES = {"policies": "setscrew/_policies", "manifests": "setscrew/_manifests"}
DECLARED = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web", "namespace": "shop"},
    "data": {"a": "1"},
}


def run(*command: str | Path, cwd: Path = ROOT, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(one) for one in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False, **more
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built as `pip wheel` builds it, without a look at any index."""
    directory = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory)
    assert done.returncode == 0, done.stderr
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment that holds the wheel and nothing of the checkout."""
    place = tmp_path_factory.mktemp("clean") / "env"
    assert run(sys.executable, "-m", "venv", "--without-pip", place).returncode == 0
    python = place / "bin" / "python"
    done = run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", wheel)
    assert done.returncode == 0, done.stderr
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    # A line of a .pth file is a place to look in; the .pth files there, the checkout's among them, are not read.
    (own / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return place / "bin"


def test_the_wheel_holds_every_file_that_git_knows(wheel: Path) -> None:
    tops = ("webhook", "reconciler", "setscrew", *PLACES)
    known = run("git", "ls-files", "-z", "--", *tops).stdout.split("\0")[:-1]
    assert len(known) > 300
    wanted = {PLACES.get(name.partition("/")[0], name.partition("/")[0]) + name[name.index("/") :] for name in known}
    with zipfile.ZipFile(wheel) as archive:
        assert wanted - set(archive.namelist()) == set()


def test_its_name_version_and_needs_are_those_of_the_project(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(name).decode().splitlines()
    assert f"Version: {project['version']}" in lines
    needed = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    assert len(needed) == len(project["dependencies"])


def test_it_runs_from_its_own_files(installed: Path, tmp_path: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run(installed / "setscrew", "--version", cwd=tmp_path).stdout.split()[-1] == version
    code = "import reconciler, setscrew, webhook; print(*(one.__file__ for one in (reconciler, setscrew, webhook)))"
    files = run(installed / "python", "-c", code, cwd=tmp_path).stdout.split()
    assert [file for file in files if not file.startswith(str(installed.parent))] == []
    assert len(files) == 3


@pytest.mark.parametrize(("value", "allowed"), [("1", True), ("2", False)])
def test_it_judges_by_the_policies_that_it_carries(installed: Path, tmp_path: Path, value: str, allowed: bool) -> None:
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "web.yaml").write_text(json.dumps(DECLARED))
    request = {
        "uid": "1",
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "resource": {"group": "", "version": "v1", "resource": "configmaps"},
        "name": "web",
        "namespace": "shop",
        "operation": "UPDATE",
        "userInfo": {"username": "dana"},
        "object": {**DECLARED, "data": {"a": value}},
        "oldObject": DECLARED,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    command = (installed / "setscrew", "review", "--desired", "git")
    done = run(*command, cwd=tmp_path, input=json.dumps(review))
    assert json.loads(done.stdout)["response"]["allowed"] is allowed, done.stderr
    assert done.returncode == (0 if allowed else 1)
