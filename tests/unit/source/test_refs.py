"""Holds which ref of a remote a source follows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from reconciler.errors import SourceError
from reconciler.source.refs import parse_refs, patterns
from reconciler.source.spec import GitRef, GitSource

BRANCH, BOTH, TAG, TAGGED, LONELY = (digit * 40 for digit in "12345")
REFS = parse_refs(
    f"ref: refs/heads/main\tHEAD\n{BRANCH}\tHEAD\n{BRANCH}\trefs/heads/main\n{BOTH}\trefs/heads/v1\n"
    f"{TAG}\trefs/tags/v1\n{TAGGED}\trefs/tags/v1^{{}}\n{LONELY}\trefs/tags/v2\n".encode()
)


@dataclass(frozen=True)
class Case:
    ref: GitRef
    commit: str
    full: str
    tag: str = ""


@pytest.mark.parametrize(
    "case",
    [
        Case(GitRef(), BRANCH, "refs/heads/main"),
        Case(GitRef("branch", "v1"), BOTH, "refs/heads/v1"),
        Case(GitRef("tag", "v1"), TAGGED, "refs/tags/v1", TAG),
        Case(GitRef("name", "refs/tags/v1"), TAGGED, "refs/tags/v1", TAG),
        Case(GitRef("name", "v1"), BOTH, "refs/heads/v1"),
        Case(GitRef("name", "v2"), LONELY, "refs/tags/v2"),
        Case(GitRef("name", "main"), BRANCH, "refs/heads/main"),
        Case(GitRef("semver", ">=1"), LONELY, "refs/tags/v2"),
    ],
    ids=lambda case: f"{case.ref.kind} {case.ref.value}",
)
def test_a_ref_leads_to_a_commit(case: Case) -> None:
    head = REFS.head_of(GitSource("shop", "https://git.example.com/deploy.git", case.ref), "here")
    assert (head.commit, head.ref, head.tag) == (case.commit, case.full, case.tag)


def test_a_short_name_is_asked_for_as_branch_and_as_tag() -> None:
    source = GitSource("shop", "https://git.example.com/deploy.git", GitRef("name", "v1"))
    assert patterns(source) == {"refs/heads/v1", "refs/tags/v1", "refs/heads/v1^{}", "refs/tags/v1^{}"}


def test_what_the_remote_does_not_have_is_named() -> None:
    with pytest.raises(SourceError, match="the remote has no gone"):
        REFS.head_of(GitSource("shop", "https://git.example.com/deploy.git", GitRef("name", "gone")), "here")
