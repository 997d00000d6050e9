"""Plays a release in clones: what stands against one is said before anything is made, and what is made is whole.

Neither tests nor image are part of it: the one would be this run, the other takes longer than all of it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
NAMED = {"NAME": "T", "EMAIL": "t@example.com"}
WHO = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in NAMED.items()}


def run(place: Path, *words: str, status: int = 0) -> str:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(words, cwd=place, env=environment | WHO, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def release(place: Path, *options: str, status: int = 0) -> str:
    return run(place, sys.executable, "tools/release.py", *options, status=status)


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A clone of what is committed here, where the version is set and committed, as the page on releases says."""
    place = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(ROOT), str(place))
    run(place, sys.executable, "tools/versions.py", "set", "7.8.9")
    run(place, "git", "commit", "--quiet", "--all", "--message", "Version 7.8.9")
    return place


def head(place: Path) -> str:
    return run(place, "git", "rev-parse", "HEAD").strip()


def test_a_rehearsal_builds_twice_says_the_rest_and_leaves_nothing(ready: Path) -> None:
    told = release(ready, "--dry-run")
    assert told.count("built twice, the same") == 2
    for step in (".ci/run", "image", "SHA256SUMS", "v7.8.9"):
        assert f"would follow: {step}" in told
    assert run(ready, "git", "status", "--porcelain") == ""
    assert not (ready / "dist").exists()
    assert run(ready, "git", "tag", "--list", "v7.8.9") == ""


def test_a_release_is_made_of_the_commit_and_tagged(ready: Path) -> None:
    release(ready, "--no-image", "--tested", head(ready))
    out = ready / "dist" / "7.8.9"
    wheel, source = "setscrew-7.8.9-py3-none-any.whl", "setscrew-7.8.9.tar.gz"
    assert sorted(path.name for path in out.iterdir()) == ["NOTES.md", "SHA256SUMS", wheel, source]
    run(out, "sha256sum", "--check", "--strict", "SHA256SUMS")
    assert hashlib.sha256((out / wheel).read_bytes()).hexdigest() in (out / "SHA256SUMS").read_text()
    with zipfile.ZipFile(out / wheel) as archive:
        assert "setscrew/_manifests/base/deployment.yaml" in archive.namelist()
    with tarfile.open(out / source) as archive:
        assert "setscrew-7.8.9/Dockerfile" in archive.getnames()
    assert run(ready, "git", "rev-parse", "v7.8.9^{commit}").strip() == head(ready)
    message = run(ready, "git", "tag", "--list", "--format=%(contents)", "v7.8.9")
    assert "### Added" in message
    assert wheel in message
    told = release(ready, "--no-image", "--tested", head(ready), status=1)
    assert "the tag v7.8.9 is there already" in told


def test_what_stands_against_a_release_is_said_before_anything_is_made(ready: Path) -> None:
    assert f"checked out is {head(ready)}" in release(ready, "--tested", "0" * 40, status=1)
    (ready / "new.txt").write_text("not in Git")
    assert "the tree is not clean:\n?? new.txt" in release(ready, "--dry-run", status=1)
    (ready / "new.txt").unlink()
    chart = ready / "manifests" / "chart" / "Chart.yaml"
    chart.write_text(chart.read_text().replace("7.8.9", "7.8.8"))
    changelog = ready / "CHANGELOG.md"
    late = changelog.read_text().replace("## [Unreleased]\n", "## [Unreleased]\n\n### Added\n\n- Late.\n")
    changelog.write_text(late.replace("## [7.8.9] - 2", "## [7.8.9] - 9"))
    run(ready, "git", "commit", "--quiet", "--all", "--message", "More")
    told = release(ready, "--dry-run", status=1)
    assert "manifests/chart/Chart.yaml: names 7.8.8" in told
    assert "changes under Unreleased" in told
    assert "CHANGELOG.md dates 7.8.9 to 9" in told


def test_a_version_without_news_is_refused(ready: Path) -> None:
    run(ready, sys.executable, "tools/versions.py", "set", "7.9.0", status=1)
    (ready / "pyproject.toml").write_text((ready / "pyproject.toml").read_text().replace("7.8.9", "7.9.0"))
    run(ready, "git", "commit", "--quiet", "--all", "--message", "Version")
    assert "CHANGELOG.md has no 7.9.0: run tools/versions.py set 7.9.0" in release(ready, "--dry-run", status=1)
