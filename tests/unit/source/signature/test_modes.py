"""What each mode makes of what was pushed, with real git, gpg and ssh-keygen; the cases are data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import limits
from reconciler.errors import VerifyError
from reconciler.source.signature import checker, stored
from reconciler.source.signature.modes import Verified, verify
from tests.support.pushes import Pushes, pushed
from tests.support.signing import People

CASES = yaml.safe_load((Path(__file__).parents[4] / "tests/cases/signatures/matrix.yaml").read_text())


@pytest.fixture(autouse=True)
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mirrors deepen after a few commits, so that cases need not make hundreds."""
    monkeypatch.setattr(limits, "REVISIONS_KEPT", 2)
    monkeypatch.setattr(limits, "HISTORY_STEPS", (4, 12, 2**31 - 1))


def verified(pushes: Pushes, mode: Any, *listed: str) -> Verified:
    secret = pushes.people.secret(*listed)
    return verify(pushes.revised(), mode, secret, secret_name="signers", deepen=pushes.deepen)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['mode']}: {case['name']}") for case in CASES])
def test_a_mode_accepts_or_refuses_what_was_pushed(case: dict[str, Any], everybody: People, tmp_path: Path) -> None:
    pushes = pushed(tmp_path, everybody, case)
    if not case["gives"].startswith("SS"):
        assert str(verified(pushes, case["mode"]).signer).startswith(case["gives"])
        return
    with pytest.raises(VerifyError) as caught:
        verified(pushes, case["mode"])
    assert (caught.value.code, case.get("says", "") in str(caught.value)) == (case["gives"], True), caught.value


def test_a_mirror_is_no_deeper_than_it_has_to_be(everybody: People, tmp_path: Path) -> None:
    steps = ["many 20 -", "accept", "commit dana", "commit dana"]
    pushes = pushed(tmp_path, everybody, {"do": steps})
    assert verified(pushes, "strict").signer.name == "dana@example.com"
    assert pushes.deepened == [1, 2]  # two commits, and the accepted one was there
    pushes.do("many 3 dana")
    assert verified(pushes, "strict").signer.name == "dana@example.com"
    assert pushes.deepened[2:] == [2, 4]


def test_more_commits_than_can_be_checked_are_told_with_a_way_out(
    everybody: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STRICT_COMMITS", 3)
    pushes = pushed(tmp_path, everybody, {"do": ["commit dana", "accept", "many 4 dana"]})
    with pytest.raises(VerifyError, match="brings 4 commits at once, more than 3") as caught:
        verified(pushes, "strict")
    assert (caught.value.code, "mode: HEAD" in caught.value.hint) == ("SS2109", True)


def test_a_history_that_ends_before_what_was_accepted_is_told_with_a_way_out(everybody: People, tmp_path: Path) -> None:
    pushes = pushed(tmp_path, everybody, {"do": ["commit dana", "accept", "many 5 dana"]})
    with pytest.raises(VerifyError, match="how it came from") as caught:
        verify(pushes.revised(), "strict", everybody.secret(), secret_name="signers", deepen=list[int]().append)
    assert caught.value.code == "SS2109"


def test_whose_key_is_github_s_own_is_warned(
    everybody: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes = pushed(tmp_path, everybody, {"do": ["commit dana"]})
    assert verified(pushes, "HEAD").notes == ()
    monkeypatch.setattr(checker, "_WEB_FLOW", frozenset({everybody.keys["pia"]}))
    assert "GitHub's own key (web-flow) is listed" in verified(pushes, "HEAD").notes[0]


def test_pgp_signatures_need_a_listed_pgp_key(everybody: People, tmp_path: Path) -> None:
    pushes = pushed(tmp_path, everybody, {"do": ["commit pia"]})
    with pytest.raises(VerifyError, match="signed with a PGP key, which is not listed"):
        verified(pushes, "HEAD", "dana")


def test_a_signer_s_name_is_printable_and_leaves_room_for_the_fingerprint() -> None:
    shown = str(checker.Signer("Eve\x1b[31m \u202e" + "x" * 500, "F" * 40))
    assert (len(shown), shown.isprintable(), shown.endswith(f"({'F' * 40})")) == (88, True, True)


def test_a_commit_that_is_not_what_its_id_says_is_refused(
    everybody: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes = pushed(tmp_path, everybody, {"do": ["commit dana"]})
    revised = pushes.revised()
    raw = pushes.git("cat-file", "commit", "HEAD")
    lie = f"{revised.commit} commit {len(raw) + 1}\n{raw.replace('dana', 'dena')}\n\n".encode()
    monkeypatch.setattr(stored, "run", lambda *_, **__: lie)
    with pytest.raises(VerifyError, match="is not what its id says"):
        verify(revised, "HEAD", everybody.secret(), secret_name="signers", deepen=pushes.deepen)
