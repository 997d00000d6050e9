"""What is made of gpg's words, and the walls around gpg itself."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from reconciler.errors import SourceError, ToolMissingError, VerifyError
from reconciler.source import child
from reconciler.source.signature import gpg, pgp
from reconciler.source.signature.gpg import Keyring, keyring
from tests.support.signing import People
from tests.support.waiting import eventually

DANA = "A" * 40
SUB = "B" * 40
GOOD = ("GOODSIG", "AAAAAAAAAAAAAAAA", "Dana", "(work)", "<dana@example.com>")


def valid(*, hash_name: str = "10", kind: str = "00", primary: str = DANA) -> tuple[str, ...]:
    return ("VALIDSIG", SUB, "2026-01-01", "1", "0", "4", "0", "22", hash_name, kind, primary)


NEW = ("NEWSIG",)


def test_one_good_signature_by_a_sub_key_is_that_of_its_primary_key() -> None:
    found = pgp.judge("commit", True, [NEW, GOOD, valid()], frozenset({DANA}))
    assert (found.name, found.fingerprint) == ("Dana (work) <dana@example.com>", DANA)


def test_a_user_id_is_told_as_its_owner_wrote_it() -> None:
    good = ("GOODSIG", "A", "100%25%0a[GNUPG:]", "VALIDSIG")
    assert pgp.judge("commit", True, [good, valid()], frozenset({DANA})).name == "100%\n[GNUPG:] VALIDSIG"


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([], "SS2106"),
        ([NEW, GOOD], "SS2106"),
        ([NEW, valid()], "SS2106"),
        ([NEW, GOOD, NEW, GOOD, valid()], "SS2106"),
        ([NEW, GOOD, NEW, valid()], "SS2106"),
        ([NEW, GOOD, valid(), valid()], "SS2106"),
        ([NEW, GOOD, ("BADSIG", "B", "Eve"), valid()], "SS2106"),
        ([NEW, ("PLAINTEXT", "62", "0"), GOOD, valid()], "SS2106"),
        ([NEW, GOOD, ("VALIDSIG", DANA)], "SS2106"),
        ([NEW, GOOD, ("VALIDSIG", DANA), ("VALIDSIG", DANA)], "SS2106"),
        ([NEW, GOOD, valid(hash_name="2")], "SS2106"),
        ([NEW, GOOD, valid(hash_name="1")], "SS2106"),
        ([NEW, GOOD, valid(kind="01")], "SS2106"),
        ([NEW, GOOD, valid(primary=SUB)], "SS2102"),
        ([NEW, GOOD, valid(primary=DANA[-16:])], "SS2102"),
        ([NEW, ("EXPKEYSIG", "A", "Dana"), valid()], "SS2104"),
        ([NEW, ("EXPSIG", "A", "Dana"), valid()], "SS2104"),
        ([NEW, ("REVKEYSIG", "A", "Dana"), valid()], "SS2105"),
        ([NEW, ("BADSIG", "A", "Dana")], "SS2103"),
        ([NEW, ("ERRSIG", "A", "22", "10", "00", "1", "9", SUB)], "SS2102"),
        ([NEW, ("ERRSIG", "A", "22", "10", "00", "1", "4", "-")], "SS2106"),
        ([NEW, ("ERRSIG",)], "SS2106"),
    ],
)
def test_whatever_is_not_one_good_signature_of_a_listed_key_is_refused(rows: list[tuple[str, ...]], code: str) -> None:
    with pytest.raises(VerifyError) as caught:
        pgp.judge("commit", True, rows, frozenset({DANA}))
    assert caught.value.code == code


@pytest.mark.parametrize("word", ["EXPKEYSIG", "EXPSIG", "REVKEYSIG"])
def test_a_key_that_does_not_count_is_named_by_its_whole_fingerprint(word: str) -> None:
    with pytest.raises(VerifyError, match=f"PGP key {DANA}"):
        pgp.judge("commit", True, [NEW, (word, DANA[-16:], "Dana"), valid()], frozenset({DANA}))


def test_good_words_do_not_count_when_gpg_is_not_content() -> None:
    with pytest.raises(VerifyError, match="does not call its signature valid"):
        pgp.judge("commit", False, [NEW, GOOD, valid()], frozenset({DANA}))


def test_listed_is_the_primary_key_of_what_was_imported(everybody: People) -> None:
    with keyring(everybody.secret("pia", "sub"), "signers") as ring:
        assert everybody.keys["pia"] in ring.listed
        assert everybody.keys["sub"].rstrip("!") not in ring.listed
        assert {len(one) for one in ring.listed} == {40}


def test_gpg_leaves_nothing_behind_and_starts_nothing(everybody: People) -> None:
    with keyring(everybody.secret("pia"), "signers") as ring:
        content, _ = ring.verify(b"x", everybody.sign("pia", b"x").encode())
        assert content
        assert [file for file in ring.home.iterdir() if stat.S_ISSOCK(file.stat().st_mode)] == []
        told = [line.read_bytes() for line in Path("/proc").glob("[0-9]*/cmdline") if line.exists()]
        assert [one for one in told if os.fsencode(ring.home) in one] == []
    assert not ring.home.exists()


def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Another program in place of gpg."""
    program = tmp_path / "gpg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(gpg.shutil, "which", lambda _: str(program))


def test_gpg_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "never")
    stub(tmp_path, monkeypatch, '/usr/bin/env | /usr/bin/sort | while read -r row; do echo "[GNUPG:] $row"; done')
    _, rows = Keyring(tmp_path, frozenset()).verify(b"", b"")
    assert {row[0].partition("=")[0] for row in rows} <= {
        "PATH",
        "HOME",
        "GNUPGHOME",
        "LANG",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
    }


def test_what_is_not_a_status_line_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(tmp_path, monkeypatch, 'echo "GOODSIG A Dana"; echo " [GNUPG:] GOODSIG A Dana"; echo "[GNUPG:] NEWSIG" >&2')
    assert Keyring(tmp_path, frozenset()).verify(b"", b"") == (True, ())


def test_a_gpg_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(tmp_path, monkeypatch, f"/bin/sleep 600 & echo $! > {tmp_path}/pid; wait")
    monkeypatch.setattr(gpg.limits, "SIGNATURE_SECONDS", 0.5)
    with pytest.raises(SourceError, match=r"gpg took more than 0\.5 s"):
        Keyring(tmp_path, frozenset()).verify(b"", b"")
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")

    def ended() -> bool:
        try:
            return state.read_text().split()[2] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    eventually(ended, "the killed process has gone")


def test_without_gpg_the_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpg.shutil, "which", lambda _: None)
    with pytest.raises(ToolMissingError, match=r"install GnuPG 2\.2 or newer"), keyring({"a.asc": b""}, "signers"):
        pass


def test_a_flood_of_status_lines_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(tmp_path, monkeypatch, "exec /usr/bin/yes")
    assert child.run.__kwdefaults__ is not None
    monkeypatch.setitem(child.run.__kwdefaults__, "file_bytes", 1024 * 1024)
    with pytest.raises(SourceError, match="wrote more than 1 MiB"):
        Keyring(tmp_path, frozenset()).verify(b"", b"")
