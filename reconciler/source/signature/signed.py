"""Owns taking a commit or a tag apart into what was signed and the signature. Pure; must not judge a signature.

Stricter than git: what git would pass over (a second signature, a header of another hash, text after the signature) is
part of the object without being signed, so it is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from reconciler import limits
from reconciler.errors import VerifyError

Kind = Literal["commit", "tag"]
Armor = Literal["pgp", "ssh"]

_TAG: Final = re.compile(
    rb"object (?P<object>[0-9a-f]{40}|[0-9a-f]{64})\ntype (?P<type>[a-z]+)\ntag (?P<tag>[^\n]+)(?:\ntagger [^\n]*)?"
)
# What git takes for the beginning of a signature in a tag's message.
_BEGIN: Final = re.compile(
    rb"^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----", re.MULTILINE
)
_ARMOR: Final = re.compile(rb"-----BEGIN (?P<label>[A-Z ]+)-----\n(?:(?!-----)[^\n\r]*\n)*-----END (?P=label)-----\n*")
_ARMORS: Final[dict[bytes, Armor]] = {b"PGP SIGNATURE": "pgp", b"SSH SIGNATURE": "ssh"}


@dataclass(frozen=True, slots=True)
class Signed:
    """A commit or tag: its id, the bytes that were signed, and the signature as it stands ("" where there is none)."""

    kind: Kind
    oid: str
    payload: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{self.kind} {self.oid[:12]}"

    def armor(self) -> Armor:
        """How it is signed. Raises VerifyError: not at all, in a way that is not known, or with something around it."""
        if not self.signature:
            raise VerifyError("is not signed", where=str(self), hint="sign it with a listed key", code="SS2101")
        match = _ARMOR.fullmatch(self.signature)
        if not match or len(self.signature) > limits.SIGNATURE_BYTES:
            raise malformed(str(self), "its signature is not one armored block of sane size")
        label = match["label"]
        if label not in _ARMORS:
            raise malformed(str(self), f"it is signed in a way that is not known ({label.decode('ascii').lower()})")
        return _ARMORS[label]


@dataclass(frozen=True, slots=True)
class Tag:
    """An annotated tag: what it calls itself, and the kind and id of what it is a tag of."""

    signed: Signed
    name: str
    target_kind: str
    target: str


def commit(oid: str, raw: bytes) -> Signed:
    """A commit without the header that holds its signature. Raises VerifyError."""
    where = f"commit {oid[:12]}"
    head, blank, body = _sane(where, raw).partition(b"\n\n")
    kept: list[bytes] = []
    found: list[list[bytes]] = []
    inside = False  # the signature goes on as long as rows begin with a space
    for row in head.split(b"\n"):
        inside = inside and row.startswith(b" ")
        if row.startswith(b"gpgsig"):
            inside = True
            found.append([row])
        elif inside:
            found[-1].append(row)
        else:
            kept.append(row)
    own = b"gpgsig " if len(oid) == 40 else b"gpgsig-sha256 "
    if not blank:
        raise malformed(where, "it has no end of its headers")
    if len(found) > 1 or any(not rows[0].startswith(own) for rows in found):
        raise malformed(where, "it has several signatures, or one over another hash than its own")
    rows = [found[0][0].removeprefix(own), *(row[1:] for row in found[0][1:])] if found else []
    signature = b"".join(row + b"\n" for row in rows)
    return Signed("commit", oid, b"\n".join(kept) + blank + body, signature)


def tag(oid: str, raw: bytes) -> Tag:
    """A tag without the signature at the end of its message. Raises VerifyError."""
    where = f"tag {oid[:12]}"
    head, blank, body = _sane(where, raw).partition(b"\n\n")
    match = _TAG.fullmatch(head)
    if not match:
        raise malformed(where, "it has other headers than a tag has")
    begins = [one.start() for one in _BEGIN.finditer(body)]
    if len(begins) > 1:
        raise malformed(where, "it has several signatures")
    end = begins[0] if begins else len(body)
    signed = Signed("tag", oid, head + blank + body[:end], body[end:])
    name = match["tag"].decode("utf-8", "surrogateescape")
    return Tag(signed, name, match["type"].decode("ascii"), match["object"].decode("ascii"))


def malformed(where: str, why: str) -> VerifyError:
    """The error of what no honest tool makes, or of what is too weak to count."""
    return VerifyError(why, where=where, hint="sign it anew with git and a listed key", code="SS2106")


def unlisted(where: str, key: str) -> VerifyError:
    """The error of a signature by somebody who may not sign; `key` names kind and fingerprint."""
    hint = "add the key to the Secret if its owner may sign"
    return VerifyError(f"is signed with {key}, which is not listed", where=where, hint=hint, code="SS2102")


def changed(where: str, key: str) -> VerifyError:
    """The error of a signature over something else."""
    hint = "the commit or tag was changed after it was signed"
    return VerifyError(f"does not match its signature, which names {key}", where=where, hint=hint, code="SS2103")


def _sane(where: str, raw: bytes) -> bytes:
    if len(raw) > limits.SIGNED_OBJECT_BYTES:
        raise malformed(where, f"it is larger than {limits.SIGNED_OBJECT_BYTES // limits.KIB} KiB")
    if b"\0" in raw:
        raise malformed(where, "it holds a NUL byte, behind which git shows nothing")
    return raw
