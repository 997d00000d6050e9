"""Owns the limits of fetching, each met exactly: files of a repository, and bytes that are fetched in one go."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from reconciler import limits
from reconciler.errors import SourceError
from reconciler.source.git import Git
from reconciler.source.materialise import materialise
from reconciler.source.spec import GitRef, GitSource
from tests.support.hostile import Bare


@pytest.fixture
def repository(tmp_path: Path) -> Bare:
    place = tmp_path / "repository.git"
    place.mkdir()
    found = Bare(place)
    found.git("init", "--quiet", "--bare", "--initial-branch=main")
    return found


def written(repository: Bare, tmp_path: Path) -> int:
    """Fetch and write it all; gives the number of files."""
    source = GitSource("shop", str(repository.place), ref=GitRef("branch", "main"))
    mirrors = Git(tmp_path / "mirrors", allow_local=True)
    revision = mirrors.fetch(source, mirrors.resolve(source))
    materialise(mirrors, revision, "", tmp_path / revision.commit)
    return sum(1 for _ in (tmp_path / revision.commit).rglob("*.yaml"))


def test_a_repository_may_hold_just_so_many_files(
    repository: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REPOSITORY_FILES", 20)
    repository.push({f"{n}.yaml": str(n) for n in range(20)})
    assert written(repository, tmp_path) == 20
    repository.push({f"{n}.yaml": str(n) for n in range(21)})
    with pytest.raises(SourceError, match=r"more than 20 files .* \[SS2018\]"):
        written(repository, tmp_path)


def test_what_is_fetched_may_be_just_so_large(
    repository: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = random.Random(1).randbytes  # noqa: S311  what does not shrink
    monkeypatch.setattr(limits, "GIT_PACK_BYTES", 3 * limits.MIB)
    repository.push({"a.yaml": noise(3 * limits.MIB - 64 * limits.KIB)})
    assert written(repository, tmp_path) == 1
    repository.push({"a.yaml": noise(3 * limits.MIB)})
    with pytest.raises(SourceError) as caught:
        written(repository, tmp_path)
    assert caught.value.code == "SS2017"
    assert "more is fetched than a source may have" in str(caught.value)
