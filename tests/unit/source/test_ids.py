"""Holds that ids of places tell what is equal between two commits, and that links are seen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.source.ids import has_links, object_ids


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    for name in ("a/one.yaml", "a/[b]*/two.yaml", "b/three.yaml"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name)
    git(work, "init", "--quiet")
    commit(work)
    return work


def git(work: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Dana", "-c", "user.email=dana@example.com"]
    return subprocess.run(
        ["git", "-C", str(work), *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(work: Path) -> str:
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "change")
    return git(work, "rev-parse", "HEAD")


def test_an_id_changes_with_what_stands_at_its_place_only(repository: Path) -> None:
    places = ["", "a", "a/one.yaml", "a/[b]*", "b", "none"]
    first = object_ids(repository, git(repository, "rev-parse", "HEAD"), places)
    (repository / "b" / "three.yaml").write_text("changed")
    second = object_ids(repository, commit(repository), places)
    assert first["none"] == ""
    assert {place for place in places if first[place] != second[place]} == {"", "b"}


def test_a_place_that_no_line_can_name_is_absent(repository: Path) -> None:
    found = object_ids(repository, "HEAD", ["a\nb", "b"])
    assert found["a\nb"] == ""
    assert found["b"]


def test_links_are_seen_where_they_stand(repository: Path) -> None:
    (repository / "b" / "link").symlink_to("../a/one.yaml")
    head = commit(repository)
    assert [has_links(repository, head, path) for path in ("", "a", "b", "b/link", "b/three.yaml")] == [
        True, False, True, True, False,
    ]  # fmt: skip
