"""A source that asks for signatures: what is not signed is neither enforced nor told to anybody as news."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reconciler.loop.reading import Reader
from reconciler.loop.sources import Sources
from reconciler.policy.model import Rules
from reconciler.render.spec import RenderTools
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.secret import SecretRef
from reconciler.source.spec import GitRef, GitSource, Verification, VerifyMode
from tests.support.pushes import Pushes
from tests.support.signing import People, people

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {a: %s}\n"
TOOLS = RenderTools(Path("/nonexistent/helm"), Path("/nonexistent/kubectl"))


@pytest.fixture(scope="module")
def everybody() -> Iterator[People]:
    with people() as found:
        yield found


class Site:
    """One repository, and sources that follow it; what is told as ahead is kept."""

    def __init__(self, place: Path, everybody: People) -> None:
        self.pushes = Pushes(place, everybody)
        self.told: list[str] = []
        self.sources: Sources

    def follow(self, mode: VerifyMode) -> None:
        verify = Verification(mode, SecretRef("signers") if mode else None)
        source = GitSource("shop", self.pushes.work.as_uri(), GitRef("branch", "main"), verify=verify)
        reader = Reader(TOOLS, self.pushes.place / "mirrors", allow_local=True, secrets=self.secrets)
        self.sources = Sources((source,), reader)

    def secrets(self, _: SecretRef) -> Mapping[str, bytes]:
        return self.pushes.people.secret()

    def push(self, who: str, value: str) -> str:
        (self.pushes.work / "all.yaml").write_text(CONFIG % value)
        self.pushes.git("add", "--all")
        self.pushes.do(f"commit {who}")
        return self.pushes.git("rev-parse", "HEAD")

    def look(self) -> str:
        """The state of the source after a look."""
        self.told.clear()
        enforced = {name: good.state for name, good in self.sources.good.items()}
        self.sources.refresh(ahead=self.told.append, enforced=MemorySnapshot((), Rules(()), enforced))
        return self.sources.status["shop"].state

    def enforced(self) -> tuple[str, str]:
        state = self.sources.good["shop"].state
        return state.commit, state.signer


@pytest.fixture
def site(tmp_path: Path, everybody: People) -> Site:
    return Site(tmp_path, everybody)


@pytest.mark.parametrize("mode", ["HEAD", "strict"])
def test_what_is_not_signed_leaves_the_last_good_revision_and_its_signer(
    site: Site, everybody: People, mode: VerifyMode
) -> None:
    site.follow(mode)
    good = site.push("dana", "1")
    assert site.look() == "Ready"
    dana = f"dana@example.com ({everybody.fingerprint('dana')})"
    assert site.enforced() == (good, dana)
    bad = site.push("-", "2")
    assert site.look() == "VerifyFailed"
    assert site.enforced() == (good, dana)
    status = site.sources.status["shop"]
    assert (bad in status.attempted, good in status.enforced, status.signer) == (True, True, dana)
    assert f"commit {bad[:12]}: is not signed" in status.message
    assert status.message.endswith("[SS2101]")


def test_a_writer_cannot_hide_behind_a_commit_that_nobody_signed(site: Site) -> None:
    site.follow("HEAD")
    site.push("dana", "1")
    site.look()
    site.push("mallory", "2")
    assert (site.look(), site.told) == ("VerifyFailed", [])
    assert (site.look(), site.told) == ("VerifyFailed", [])
    site.push("dana", "3")
    assert (site.look(), site.told) == ("Ready", ["shop"])


def test_where_no_signature_is_asked_for_a_commit_is_news_as_soon_as_it_is_seen(site: Site) -> None:
    site.follow("")
    site.push("-", "1")
    assert (site.look(), site.told) == ("Ready", ["shop"])
    assert site.enforced()[1] == ""


def test_a_commit_that_only_passed_counts_if_it_was_signed_itself(site: Site) -> None:
    site.follow("HEAD")
    site.push("dana", "1")
    site.look()
    unsigned, signed = site.push("-", "2"), site.push("dana", "3")
    site.push("dana", "4")
    assert site.look() == "Ready"
    assert [commit for _, commit, _ in site.sources.passed("shop", [signed, unsigned])] == [signed]


def test_a_branch_set_back_to_a_signed_commit_is_taken_and_called_rewritten(site: Site) -> None:
    site.follow("HEAD")
    first = site.push("dana", "1")
    site.push("dana", "2")
    assert site.look() == "Ready"
    site.pushes.do("reset 1")
    assert site.look() == "Ready"
    assert site.enforced()[0] == first
    assert "its history was rewritten" in site.sources.status["shop"].message


def test_every_commit_since_the_one_that_is_enforced_counts(site: Site) -> None:
    site.follow("strict")
    site.push("-", "0")
    site.push("dana", "1")
    assert site.look() == "Ready"
    unsigned = site.push("-", "2")
    site.push("dana", "3")
    assert (site.look(), unsigned[:12] in site.sources.status["shop"].message) == ("VerifyFailed", True)
    site.pushes.do("reset 2")
    last = site.push("pia", "3")
    assert (site.look(), site.enforced()[0]) == ("Ready", last)


def test_a_key_that_is_listed_now_ends_the_failure(site: Site, everybody: People) -> None:
    site.follow("HEAD")
    site.push("mallory", "1")
    assert site.look() == "VerifyFailed"
    site.sources.reader.secrets = lambda _: everybody.secret("mallory")
    assert site.look() == "Ready"
