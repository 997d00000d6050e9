"""Owns commits and tags that no honest tool makes: each way is a function from an unsigned object to its bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Final

from reconciler.source.signature.wire import string
from tests.support.signing import People

Forger = Callable[[People, bytes], bytes]


def headed(payload: bytes, signature: str | bytes, header: bytes = b"gpgsig") -> bytes:
    """A commit with one more header behind its own."""
    text = signature.encode() if isinstance(signature, str) else signature
    head, _, body = payload.partition(b"\n\n")
    value = b"\n ".join(text.removesuffix(b"\n").split(b"\n"))
    return head + b"\n" + header + b" " + value + b"\n\n" + body


def unpacked(armored: str) -> bytes:
    """What is within an armor, a checksum left out."""
    rows = armored.strip().split("\n")[1:-1]
    return base64.b64decode("".join(row for row in rows if row and not row.startswith("=")))


def packed(data: bytes, label: str) -> str:
    """An armor without checksum."""
    text = base64.b64encode(data).decode()
    rows = [text[at : at + 70] for at in range(0, len(text), 70)]
    blank = [""] if label.startswith("PGP") else []
    return "\n".join([f"-----BEGIN {label}-----", *blank, *rows, f"-----END {label}-----", ""])


def flipped(data: bytes) -> bytes:
    """One bit of the last byte is another."""
    return data[:-1] + bytes([data[-1] ^ 1])


def _signed(name: str, *options: str) -> Forger:
    return lambda people, payload: headed(payload, people.sign(name, payload, *options))


def _mended(name: str, change: Callable[[str], str]) -> Forger:
    """The signature is changed after it was made."""
    return lambda people, payload: headed(payload, change(people.sign(name, payload)))


def _moved(name: str, change: Callable[[bytes], bytes]) -> Forger:
    """The payload is changed after it was signed."""
    return lambda people, payload: headed(change(payload), people.sign(name, payload))


def _certified(armored: str) -> str:
    blob = unpacked(armored)
    length = int.from_bytes(blob[10:14])
    certificate = string(b"ssh-ed25519-cert-v01@openssh.com") + blob[14 : 14 + length]
    return packed(blob[:10] + string(certificate) + blob[14 + length :], "SSH SIGNATURE")


def _padded(armored: str) -> str:
    first, _, rest = armored.partition("\n")
    return first + "\n" + "Comment: nothing\n" * 6_500 + rest


def _relabelled(people: People, _: bytes) -> bytes:
    message = people.sign("pia", b"tree of somebody else", "--sign")
    return message.replace("PGP MESSAGE", "PGP SIGNATURE").encode()


def _two_headers(people: People, payload: bytes) -> bytes:
    return headed(headed(payload, people.sign("mallory", payload)), people.sign("pia", payload))


def _both_hashes(people: People, payload: bytes) -> bytes:
    signature = people.sign("pia", payload)
    return headed(headed(payload, signature), signature, b"gpgsig-sha256")


def _large(people: People, payload: bytes) -> bytes:
    large = payload + b"words " * 400_000
    return headed(large, people.sign("pia", large))


_X509: Final = "-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----\n"

COMMITS: Final[Mapping[str, Forger]] = {
    "expired-signature": _signed("stale", "--default-sig-expire=1d", "--detach-sign"),
    "changed-pgp": _moved("pia", lambda payload: payload + b"more\n"),
    "changed-ssh": _moved("dana", lambda payload: payload + b"more\n"),
    "borrowed-pgp": lambda people, payload: headed(payload, people.sign("pia", b"another commit")),
    "borrowed-ssh": lambda people, payload: headed(payload, people.sign("dana", b"another commit")),
    "corrupted-pgp": _mended("pia", lambda armored: packed(flipped(unpacked(armored)), "PGP SIGNATURE")),
    "corrupted-ssh": _mended("dana", lambda armored: packed(flipped(unpacked(armored)), "SSH SIGNATURE")),
    "truncated-ssh": _mended("dana", lambda armored: packed(unpacked(armored)[:-9], "SSH SIGNATURE")),
    "truncated-pgp": _mended("pia", lambda armored: packed(unpacked(armored)[:-9], "PGP SIGNATURE")),
    "other-namespace": lambda people, payload: headed(payload, people.sign("dana", payload, namespace="file")),
    "ssh-sha1": _mended(
        "dana",
        lambda armored: packed(unpacked(armored).replace(string(b"sha512"), string(b"sha1")), "SSH SIGNATURE"),
    ),
    "pgp-sha1": _signed("pia", "--digest-algo=SHA1", "--detach-sign"),
    "pgp-text": _signed("pia", "--textmode", "--detach-sign"),
    "pgp-own-content": lambda people, payload: headed(payload, _relabelled(people, payload)),
    "pgp-message": _signed("pia", "--sign"),
    "x509": lambda _, payload: headed(payload, _X509),
    "pgp-twice": lambda people, payload: headed(
        payload, people.sign("pia", payload, "-u", people.keys["sub"], "--detach-sign")
    ),
    "two-armors": lambda people, payload: headed(payload, people.sign("pia", payload) + people.sign("sub", payload)),
    "two-headers": _two_headers,
    "both-hashes": _both_hashes,
    "other-hash": lambda people, payload: headed(payload, people.sign("pia", payload), b"gpgsig-sha256"),
    "like-a-header": lambda people, payload: headed(
        headed(payload, people.sign("pia", payload)), "nobody has signed this", b"gpgsigned"
    ),
    "text-behind": _mended("pia", lambda armored: armored + "and this\n"),
    "text-before": _mended("pia", lambda armored: "this and\n" + armored),
    "empty-line-behind": _mended("pia", lambda armored: armored + "\n"),
    "carriage-returns": _mended("pia", lambda armored: armored.replace("\n", "\r\n")),
    "spaces-ssh": _mended("dana", lambda armored: armored.replace("U1NIU0lH", "U1NI U0lH")),
    "payload-carriage-returns": _moved("pia", lambda payload: payload.removesuffix(b"\n") + b"\r\n"),
    "huge-signature": _mended("pia", _padded),
    "huge-commit": _large,
    "certificate": _mended("dana", _certified),
    "empty-signature": lambda _, payload: headed(payload, ""),
}


def _in_head(people: People, payload: bytes) -> bytes:
    head, _, body = payload.partition(b"\n\n")
    return head + b"\ngpgsig nobody has signed this\n\n" + body + people.sign("dana", payload).encode()


def _nul_in_tag(people: People, payload: bytes) -> bytes:
    hidden = payload + b"seen\0not seen\n"
    return hidden + people.sign("dana", hidden).encode()


TAGS: Final[Mapping[str, Forger]] = {
    "two-signatures": lambda people, payload: (
        payload + people.sign("mallory", payload).encode() + people.sign("dana", payload).encode()
    ),
    "text-behind": lambda people, payload: payload + people.sign("dana", payload).encode() + b"and this\n",
    "header": _in_head,
    "changed": lambda people, payload: payload + b"more\n" + people.sign("dana", payload).encode(),
    "nul-byte": _nul_in_tag,
}
