"""A source is held to its `spec.verify` with the real backend: keys from its Secret, depth from its remote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from reconciler.errors import VerifyError
from reconciler.source.git import Git
from reconciler.source.secret import SecretRef, no_secrets
from reconciler.source.signature import gpg
from reconciler.source.signature.gate import check, check_passed
from reconciler.source.signature.modes import Verified
from reconciler.source.spec import GitRef, GitSource, Verification, VerifyMode
from tests.support.pushes import Pushes, pushed
from tests.support.signing import People

SIGNERS, MAIN = SecretRef("signers"), GitRef("branch", "main")


class Site:
    """One source over a repository that people push to; `accepted` is the commit that was, "" for none."""

    def __init__(self, pushes: Pushes, mode: VerifyMode, ref: GitRef = MAIN) -> None:
        self.pushes = pushes
        self.source = GitSource("shop", pushes.work.as_uri(), ref, verify=Verification(mode, SIGNERS))
        self.git = Git(pushes.place / "mirrors", allow_local=True)
        self.accepted = ""

    def secrets(self, ref: SecretRef) -> Mapping[str, bytes]:
        assert ref == SIGNERS
        return self.pushes.people.secret()

    def look(self) -> Verified:
        """What a look at the remote finds; it counts as accepted."""
        head = self.git.resolve(self.source)
        revision = self.git.fetch(self.source, head, last=self.accepted)
        found = check(self.source, head, revision, self.accepted, self.git, self.secrets)
        self.accepted = revision.commit
        return found

    def refused(self) -> str:
        with pytest.raises(VerifyError) as caught:
            self.look()
        return caught.value.code


def site(tmp_path: Path, people: People, mode: VerifyMode, *steps: str, ref: GitRef = MAIN) -> Site:
    return Site(pushed(tmp_path, people, {"do": list(steps)}), mode, ref)


def test_a_source_that_asks_for_no_signature_names_nobody(everybody: People, tmp_path: Path) -> None:
    found = site(tmp_path, everybody, "", "commit dana").look()
    assert (str(found.signer), found.notes) == ("", ())


def test_the_signer_of_a_commit_is_named(everybody: People, tmp_path: Path) -> None:
    found = site(tmp_path, everybody, "HEAD", "commit dana").look()
    assert str(found.signer) == f"dana@example.com ({everybody.fingerprint('dana')})"


def test_the_tag_that_is_fetched_is_the_one_that_is_verified(everybody: People, tmp_path: Path) -> None:
    tag = GitRef("tag", "v1")
    found = site(tmp_path, everybody, "TagAndHEAD", "commit dana", "tag v1 pia", ref=tag)
    assert found.look().signer.name == "pia <pia@example.com>"
    found.pushes.git("tag", "--delete", "v1")
    found.pushes.do("light v1")
    assert found.refused() == "SS2107"


def test_the_highest_version_is_held_to_its_own_name(everybody: People, tmp_path: Path) -> None:
    versions = GitRef("semver", ">=1.0.0")
    found = site(tmp_path, everybody, "Tag", "commit -", "tag v1.0.0 dana", ref=versions)
    assert found.look().signer.name == "dana@example.com"
    found.pushes.do("commit -")
    found.pushes.do("repush v1.0.0 v1.1.0")
    assert found.refused() == "SS2108"


def test_every_commit_counts_however_many_came_between_two_looks(everybody: People, tmp_path: Path) -> None:
    found = site(tmp_path, everybody, "strict", "many 3 -", "commit dana")
    assert found.look().signer.name == "dana@example.com"
    found.pushes.do("many 15 dana")
    assert found.look().signer.name == "dana@example.com"
    found.pushes.do("commit -")
    found.pushes.do("many 15 dana")
    assert found.refused() == "SS2101"


def test_a_merge_of_a_branch_that_began_before_the_mirror_does(everybody: People, tmp_path: Path) -> None:
    steps = ("commit -", "branch", "commit dana", "back", "many 15 -", "commit dana")
    found = site(tmp_path, everybody, "strict", *steps)
    assert found.look().signer.name == "dana@example.com"
    found.pushes.do("merge dana")
    assert found.look().signer.name == "dana@example.com"


def test_a_rewritten_branch_is_held_to_its_signatures_from_where_it_parts(everybody: People, tmp_path: Path) -> None:
    found = site(tmp_path, everybody, "strict", "many 15 -", "commit dana", "commit dana")
    assert found.look().signer.name == "dana@example.com"
    found.pushes.do("reset 2")
    found.pushes.do("commit pia")
    assert found.look().signer.name == "pia <pia@example.com>"


def test_a_commit_between_is_looked_at_only_if_it_is_signed_itself(everybody: People, tmp_path: Path) -> None:
    found = site(tmp_path, everybody, "HEAD", "commit dana", "commit -", "commit dana")
    found.look()
    found.pushes.do("commit dana")
    revision = found.git.fetch(found.source, found.git.resolve(found.source), last=found.accepted)
    commits = [commit for commit, _ in revision.log]
    for commit in (commits[0], commits[1], commits[3]):
        check_passed(found.source, replace(revision, commit=commit), found.secrets)
    with pytest.raises(VerifyError, match="is not signed"):
        check_passed(found.source, replace(revision, commit=commits[2]), found.secrets)
    tags = replace(found.source, verify=Verification("Tag", SIGNERS))
    with pytest.raises(VerifyError, match="only tagged commits"):
        check_passed(tags, revision, found.secrets)
    check_passed(replace(found.source, verify=Verification()), revision, no_secrets)


def test_without_the_secret_or_gpg_nothing_is_verified(
    everybody: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = site(tmp_path, everybody, "HEAD", "commit pia")
    revision = found.git.fetch(found.source, head := found.git.resolve(found.source))
    with pytest.raises(VerifyError, match="there is no Secret signers") as caught:
        check(found.source, head, revision, "", found.git, no_secrets)
    assert caught.value.code == "SS2110"
    with pytest.raises(VerifyError, match="names no keys that may sign"):
        check(replace(found.source, verify=Verification("HEAD")), head, revision, "", found.git, no_secrets)
    monkeypatch.setattr(gpg, "shutil", SimpleNamespace(which=lambda _: None))
    with pytest.raises(VerifyError, match="gpg not found") as caught:
        check(found.source, head, revision, "", found.git, found.secrets)
    assert (caught.value.code, "install GnuPG" in caught.value.hint) == ("SS2111", True)
