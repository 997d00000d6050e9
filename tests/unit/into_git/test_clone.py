"""A commit comes to a person's clone on a branch of its own, and nothing else of the clone moves."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.errors import SourceError, UsageError
from reconciler.source.clone import Author, author_of, commit_on_branch, has_commit

DANA = Author("Dana", "dana@example.com")


def git(clone: Path, *words: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "user.name=Lena", "-c", "user.email=lena@example.com", *words]
    return subprocess.run(
        command, cwd=clone, env={**os.environ, **own}, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "-b", "main")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/a b.yaml").write_text("a: 1\n")
    (tmp_path / "run.sh").write_text("echo\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "gone.yaml").write_text("x: 1\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_the_branch_has_the_change_and_the_clone_is_as_it_was(clone: Path) -> None:
    hook = clone / ".git/hooks/reference-transaction"
    hook.write_text("#!/bin/sh\ntouch ../hook-ran hook-ran\n")
    hook.chmod(0o755)
    (clone / "deploy/a b.yaml").write_text("being: edited\n")
    before = git(clone, "status", "--porcelain", "-b"), git(clone, "rev-parse", "HEAD")
    base = git(clone, "rev-parse", "HEAD").strip()
    files = {"deploy/a b.yaml": "a: 2\n", "run.sh": "echo 2\n", "gone.yaml": None, "new/é.yaml": "b: 1"}
    commit = commit_on_branch(clone, base, "keep/web", files, "Adopt it\n\n- spec.replicas\n", DANA)
    assert git(clone, "rev-parse", "keep/web", "keep/web^").split() == [commit, base]
    assert git(clone, "show", "keep/web:deploy/a b.yaml") == "a: 2\n"
    assert git(clone, "show", "keep/web:new/é.yaml") == "b: 1"
    names = git(clone, "-c", "core.quotePath=false", "diff", "--name-status", base, "keep/web").splitlines()
    assert names == ["M\tdeploy/a b.yaml", "D\tgone.yaml", "A\tnew/é.yaml", "M\trun.sh"]
    assert git(clone, "ls-tree", "keep/web", "run.sh").startswith("100755")
    assert git(clone, "log", "-1", "--format=%an <%ae> %s", "keep/web") == "Dana <dana@example.com> Adopt it\n"
    assert (git(clone, "status", "--porcelain", "-b"), git(clone, "rev-parse", "HEAD")) == before
    assert not list(clone.rglob("hook-ran"))


@pytest.mark.parametrize(
    ("branch", "why"), [("main", "there is a branch main already"), ("a..b", "no name"), ("-d", "no name")]
)
def test_a_branch_that_is_there_or_cannot_be_is_refused(clone: Path, branch: str, why: str) -> None:
    base = git(clone, "rev-parse", "HEAD").strip()
    with pytest.raises(UsageError, match=why):
        commit_on_branch(clone, base, branch, {"a": "b"}, "x", DANA)
    assert git(clone, "rev-parse", "HEAD").strip() == base


def test_what_a_clone_does_not_hold_is_seen(clone: Path, tmp_path: Path) -> None:
    assert has_commit(clone, git(clone, "rev-parse", "HEAD").strip())
    assert not has_commit(clone, "0" * 40)
    assert not has_commit(tmp_path / "nowhere", "0" * 40)


def test_who_commits_is_what_git_says(clone: Path) -> None:
    git(clone, "config", "user.name", "Dana")
    git(clone, "config", "user.email", "dana@example.com")
    own = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    assert author_of(clone, own) == DANA
    git(clone, "config", "user.useConfigOnly", "true")
    git(clone, "config", "--unset", "user.email")
    with pytest.raises(UsageError, match="does not know who commits"):
        author_of(clone, own)
    with pytest.raises(SourceError):
        commit_on_branch(clone, "0" * 40, "new", {}, "x", DANA)
