"""Commits and tags are taken apart as git does it, or not at all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import VerifyError
from reconciler.source.signature.signed import commit, tag

HEAD = b"tree " + b"0" * 40 + b"\nauthor Dana <d@example.com> 0 +0000\ncommitter Dana <d@example.com> 0 +0000"
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\nabcd\n-----END PGP SIGNATURE-----\n"
HEADER = SIGNATURE.removesuffix(b"\n").replace(b"\n", b"\n ")
OID = "0" * 40
TAG = b"object " + b"0" * 40 + b"\ntype commit\ntag v1\ntagger Dana <d@example.com> 0 +0000"


def refused(kind: str, raw: bytes, oid: str = OID) -> VerifyError:
    with pytest.raises(VerifyError) as caught:
        (commit if kind == "commit" else tag)(oid, raw)
    return caught.value


def test_the_payload_of_a_commit_is_the_commit_without_the_header() -> None:
    found = commit(OID, HEAD + b"\ngpgsig " + HEADER + b"\nencoding latin-1\n\nHello\n")
    assert found.payload == HEAD + b"\nencoding latin-1\n\nHello\n"
    assert (found.signature, found.armor()) == (SIGNATURE, "pgp")


def test_a_commit_of_a_sha256_repository_has_a_header_of_its_own() -> None:
    found = commit("0" * 64, HEAD + b"\ngpgsig-sha256 " + HEADER + b"\n\nHello\n")
    assert (found.payload, found.signature) == (HEAD + b"\n\nHello\n", SIGNATURE)
    assert "several" in refused("commit", HEAD + b"\ngpgsig " + HEADER + b"\n\nHello\n", "0" * 64).message


def test_an_unsigned_commit_is_its_own_payload() -> None:
    raw = HEAD + b"\n\ngpgsig is spoken of here\n"
    found = commit(OID, raw)
    assert (found.payload, found.signature) == (raw, b"")


def test_what_follows_another_header_is_no_part_of_the_signature() -> None:
    raw = HEAD + b"\ngpgsig " + HEADER + b"\nmergetag object 0\n type commit\n\nHello\n"
    found = commit(OID, raw)
    assert found.payload == HEAD + b"\nmergetag object 0\n type commit\n\nHello\n"
    assert found.signature == SIGNATURE


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (HEAD + b"\n\nseen\0unseen\n", "NUL"),
        (HEAD, "no end"),
        (HEAD + b"\ngpgsig " + HEADER + b"\ngpgsig " + HEADER + b"\n\n", "several"),
        (HEAD + b"\ngpgsig\n\n", "several signatures, or one over another"),
        (HEAD + b"\ngpgsig-sha256 " + HEADER + b"\n\n", "another hash"),
        (HEAD + b"\n\n" + b"a" * (1024 * 1024), "larger than 1024 KiB"),
    ],
)
def test_a_commit_that_no_honest_tool_makes_is_refused(raw: bytes, why: str) -> None:
    error = refused("commit", raw)
    assert (error.code, why in error.message) == ("SS2106", True), error


def test_a_tag_says_what_it_is_and_of_what() -> None:
    found = tag(OID, TAG + b"\n\nOne\n" + SIGNATURE)
    assert (found.name, found.target_kind, found.target) == ("v1", "commit", "0" * 40)
    assert (found.signed.payload, found.signed.signature) == (TAG + b"\n\nOne\n", SIGNATURE)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (TAG + b"\ntag v2\n\nOne\n" + SIGNATURE, "other headers"),
        (TAG.replace(b"tag v1", b"tag v2\ntag v1") + b"\n\nOne\n" + SIGNATURE, "other headers"),
        (TAG.replace(b"object", b"tree") + b"\n\nOne\n" + SIGNATURE, "other headers"),
        (TAG + b"\ngpgsig " + HEADER + b"\n\nOne\n", "other headers"),
        (TAG + b"\n\nOne\n" + SIGNATURE + SIGNATURE, "several"),
        (TAG + b"\n\nseen\0unseen\n" + SIGNATURE, "NUL"),
    ],
)
def test_a_tag_that_no_honest_tool_makes_is_refused(raw: bytes, why: str) -> None:
    error = refused("tag", raw)
    assert (error.code, why in error.message) == ("SS2106", True), error


PIECES = st.sampled_from(
    [HEAD, TAG, HEADER, SIGNATURE, b"\n", b" ", b"\n\n", b"\ngpgsig ", b"\ngpgsig-sha256 ", b"tag v1", b"\r", b"\0"]
)


PARTS = st.lists(PIECES | st.binary(max_size=20), max_size=3).map(b"".join)


@given(PARTS, PARTS, PARTS)
def test_whatever_stands_in_an_object_all_of_it_is_signed_or_is_the_signature(
    one: bytes, two: bytes, three: bytes
) -> None:
    """No byte of what passes is outside of both, but for the header's name and the spaces before its lines."""
    raw = HEAD + one + b"\ngpgsig " + HEADER + two + b"\n\n" + three
    with suppress(VerifyError):
        found = commit(OID, raw)
        found.armor()
        around = len(b"gpgsig ") + found.signature.count(b"\n") - 1
        assert len(found.payload) + len(found.signature) + around == len(raw)
    raw = TAG + one + b"\n\n" + two + b"\n" + SIGNATURE + three
    with suppress(VerifyError):
        signed = tag(OID, raw).signed
        signed.armor()
        assert signed.payload + signed.signature == raw


def test_the_law_above_is_about_something() -> None:
    assert commit(OID, HEAD + b"\ngpgsig " + HEADER + b"\n\nHello\n").armor() == "pgp"
    assert tag(OID, TAG + b"\n\nOne\n" + SIGNATURE).signed.armor() == "pgp"
