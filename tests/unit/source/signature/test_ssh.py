"""SSH signatures: what is accepted, and that nothing ends in another error than our own."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import VerifyError
from reconciler.source.signature import ssh
from reconciler.source.signature.keys import SshKey, load_keys
from reconciler.source.signature.signed import Signed
from reconciler.source.signature.wire import Wire, WireError, mpint, string
from tests.support.forging import packed, unpacked
from tests.support.signing import People

PAYLOAD = b"tree of mine"
KEY = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
BLOB = string(b"ssh-ed25519") + string(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
LISTED = {BLOB: SshKey("dana", "ssh-ed25519", BLOB, KEY.public_key())}


def sshsig(key: bytes, signature: bytes, **other: bytes) -> bytes:
    """An SSHSIG as `PROTOCOL.sshsig` says it is laid out."""
    parts = {"magic": b"SSHSIG", "version": (1).to_bytes(4), "namespace": b"git", "reserved": b"", "hash": b"sha512"}
    found = {**parts, **other}
    rest = b"".join(map(string, (key, found["namespace"], found["reserved"], found["hash"], signature)))
    return found["magic"] + found["version"] + rest


def message(payload: bytes = PAYLOAD) -> bytes:
    """What is signed."""
    return b"SSHSIG" + b"".join(map(string, (b"git", b"", b"sha512", hashlib.sha512(payload).digest())))


GOOD = sshsig(BLOB, string(b"ssh-ed25519") + string(KEY.sign(message())))


def check(data: bytes, keys: Any = None, payload: bytes = PAYLOAD) -> str:
    signed = Signed("commit", "0" * 40, payload, packed(data, "SSH SIGNATURE").encode())
    return ssh.verify(signed, LISTED if keys is None else keys).name


def test_a_signature_by_the_book_is_accepted() -> None:
    assert check(GOOD) == "dana"


def test_ssh_keygen_agrees_on_the_fingerprint(everybody: People) -> None:
    keys = load_keys(everybody.secret("dana"), "signers")
    shown = everybody.fingerprint("dana")
    assert [key.fingerprint for key in keys.ssh.values()] == [shown]


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (GOOD + b"\0", "SS2106", "left over"),
        (GOOD[:-1], "SS2106", "ends after"),
        (sshsig(BLOB, string(b"ssh-ed25519") + string(KEY.sign(message())) + b"\0"), "SS2106", "left over"),
        (GOOD.replace(b"SSHSIG", b"SSHSIH", 1), "SS2106", "version 1"),
        (sshsig(BLOB, b"", version=(2).to_bytes(4)), "SS2106", "version 1"),
        (sshsig(BLOB, string(b"ssh-ed25519") + string(b"s" * 64), namespace=b"file"), "SS2106", "else than Git"),
        (sshsig(BLOB, string(b"ssh-ed25519") + string(b"s" * 64), namespace=b"git\0"), "SS2106", "else than Git"),
        (sshsig(BLOB, string(b"ssh-ed25519") + string(b"s" * 64), hash=b"md5"), "SS2106", "weak hash"),
        (sshsig(BLOB + b"\0", string(b"ssh-ed25519") + string(b"s" * 64)), "SS2102", "not listed"),
        (sshsig(b"", string(b"ssh-ed25519") + string(b"s" * 64)), "SS2106", "damaged"),
        (sshsig(BLOB, string(b"rsa-sha2-512") + string(b"s" * 64)), "SS2106", "another kind"),
        (sshsig(BLOB, string(b"ssh-ed25519") + string(b"s" * 64)), "SS2103", "does not match"),
        (sshsig(BLOB, string(b"ssh-ed25519") + string(b"s" * 63)), "SS2103", "does not match"),
        (GOOD.replace(string(b""), string(b"x")), "SS2103", "does not match"),
    ],
)
def test_a_signature_that_is_not_by_the_book_is_refused(data: bytes, code: str, why: str) -> None:
    with pytest.raises(VerifyError) as caught:
        check(data)
    assert (caught.value.code, why in str(caught.value)) == (code, True), caught.value


def test_a_signature_over_another_payload_is_refused() -> None:
    with pytest.raises(VerifyError, match="does not match"):
        check(GOOD, payload=b"tree of yours")


@pytest.mark.parametrize(
    ("name", "kind", "signature"),
    [
        ("eddy", b"ecdsa-sha2-nistp384", string(mpint(2**5000)) + string(mpint(1))),
        ("eddy", b"ecdsa-sha2-nistp384", string(b"\0") + string(mpint(1))),
        ("eddy", b"ecdsa-sha2-nistp384", string(mpint(1)) + string(mpint(1)) + b"\0"),
        ("eddy", b"ecdsa-sha2-nistp384", b""),
        ("rosa", b"rsa-sha2-256", b"s" * 1000),
        ("rosa", b"rsa-sha2-512", b""),
    ],
)
def test_numbers_of_any_size_only_do_not_match(everybody: People, name: str, kind: bytes, signature: bytes) -> None:
    keys = load_keys(everybody.secret(name), "signers").ssh
    with pytest.raises(VerifyError, match="does not match"):
        check(sshsig(next(iter(keys)), string(kind) + string(signature)), keys)


def test_an_rsa_signature_with_sha1_does_not_count(everybody: People) -> None:
    keys = load_keys(everybody.secret("rosa"), "signers").ssh
    with pytest.raises(VerifyError, match="uses SHA-1"):
        check(sshsig(next(iter(keys)), string(b"ssh-rsa") + string(b"s" * 384)), keys)


def hardware(flags: int, kind: bytes = b"sk-ssh-ed25519@openssh.com") -> tuple[bytes, dict[bytes, SshKey]]:
    """A signature as a hardware key makes it, and the key."""
    extra = bytes([flags]) + (7).to_bytes(4)
    signed = hashlib.sha256(b"ssh:").digest() + extra + hashlib.sha256(message()).digest()
    if b"ed25519" in kind:
        raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        blob, made = string(kind) + string(raw), KEY.sign(signed)
    else:
        private = ec.derive_private_key(7, ec.SECP256R1())
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        blob = string(kind) + string(b"nistp256") + string(point)
        r, s = decode_dss_signature(private.sign(signed, ec.ECDSA(hashes.SHA256())))
        made = string(mpint(r)) + string(mpint(s))
    blob += string(b"ssh:")
    line = packed(blob, "X").split("\n", 1)[1].rsplit("-----END", 1)[0].replace("\n", "")
    keys = load_keys({"hardware.sshpub": kind + b" " + line.encode() + b" yubikey\n"}, "signers")
    return sshsig(blob, string(kind) + string(made) + extra), dict(keys.ssh)


@pytest.mark.parametrize("kind", [b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com"])
def test_a_hardware_key_signs_if_it_was_touched(kind: bytes) -> None:
    assert check(*hardware(1, kind)) == "yubikey"
    with pytest.raises(VerifyError, match="nobody has touched"):
        check(*hardware(0, kind))


def test_what_a_hardware_key_says_of_itself_is_signed() -> None:
    data, keys = hardware(0)
    with pytest.raises(VerifyError, match="does not match"):
        check(data[:-5] + b"\x01" + data[-4:], keys)


@given(st.binary(max_size=300))
def test_no_bytes_end_the_parser_in_another_error(data: bytes) -> None:
    for armored in (data, packed(data, "SSH SIGNATURE").encode(), packed(b"SSHSIG\0\0\0\1" + data, "X").encode()):
        with suppress(WireError):
            assert ssh.parse(armored).namespace is not None


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_nothing_changed_in_a_good_signature_is_accepted(at: int, put: bytes, taken: int) -> None:
    changed = GOOD[:at] + put + GOOD[at + taken :]
    if changed == GOOD:
        assert check(changed) == "dana"
        return
    with pytest.raises(VerifyError):
        check(changed)


@given(st.integers(min_value=1, max_value=2**600))
def test_a_number_is_read_as_it_was_written(value: int) -> None:
    wire = Wire(string(mpint(value)))
    assert wire.mpint() == value
    wire.end()


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0\x01", b"\xff", b"\x80"])
def test_a_number_has_one_form(raw: bytes) -> None:
    with pytest.raises(WireError):
        Wire(string(raw)).mpint()


def test_the_signature_of_a_program_is_the_one_by_the_book(everybody: People) -> None:
    found = ssh.parse(everybody.sign("dana", PAYLOAD).encode())
    assert (found.namespace, found.hash_name, found.algorithm) == (b"git", b"sha512", b"ssh-ed25519")
    assert unpacked(everybody.sign("dana", PAYLOAD)).startswith(b"SSHSIG")
