"""Owns the judgement over what gpg says of a signature. Pure; must not run gpg.

One good signature by one listed key, and nothing else: an expired or revoked key, an expired signature, a second
signature or content inside the signature each end it, whatever gpg's exit status is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from reconciler.errors import VerifyError
from reconciler.source.signature.gpg import Status
from reconciler.source.signature.signed import changed, malformed, unlisted

_VERDICTS: Final = frozenset({"GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "BADSIG", "ERRSIG"})
# SHA-256, -384, -512 and -224, by their numbers in RFC 4880; what is weaker can be forged.
_HASHES: Final = frozenset({"8", "9", "10", "11"})
_BINARY: Final = "00"  # a signature over text would let line ends be changed
_NO_KEY: Final = "9"


@dataclass(frozen=True, slots=True)
class PgpSigner:
    """The user id of a key, as its owner wrote it, and the fingerprint of its primary key, 40 hex digits."""

    name: str
    fingerprint: str


def judge(where: str, content: bool, rows: Sequence[Status], listed: frozenset[str]) -> PgpSigner:
    """Who signed. `content` is whether gpg ended well, `rows` its status lines. Raises VerifyError."""
    verdicts = [row for row in rows if row[0] in _VERDICTS]
    if len(verdicts) != 1 or len([row for row in rows if row[0] == "NEWSIG"]) > 1:
        raise malformed(where, "gpg does not find exactly one signature in it")
    if any(row[0].startswith("PLAINTEXT") for row in rows):
        raise malformed(where, "its PGP signature brings content of its own")
    verdict, valid = verdicts[0], [row for row in rows if row[0] == "VALIDSIG" and len(row) > 10]
    if verdict[0] != "GOODSIG":
        raise _bad(where, verdict, valid[0][10] if valid else "")
    if not content or len(valid) != 1:
        raise malformed(where, "gpg does not call its signature valid")
    algorithm, kind, primary = valid[0][8:11]
    if primary not in listed:
        raise unlisted(where, f"PGP key {primary}")
    if kind != _BINARY or algorithm not in _HASHES:
        raise malformed(where, "its PGP signature is one over text, or uses a hash weaker than SHA-224")
    return PgpSigner(unquote(" ".join(verdict[2:])), primary)


def _bad(where: str, verdict: Status, primary: str) -> VerifyError:
    """The error of anything but a good signature; `primary` is the fingerprint of its key, as far as gpg knows it."""
    word, key = verdict[0], f"PGP key {primary or ''.join(verdict[1:2])}".rstrip()
    if word == "BADSIG":
        return changed(where, key)
    if word == "ERRSIG" and len(verdict) > 6 and verdict[6] == _NO_KEY:
        return unlisted(where, f"PGP key {verdict[7]}" if len(verdict) > 7 else key)
    if word in {"EXPKEYSIG", "EXPSIG"}:
        what = f"the {key}" if word == "EXPKEYSIG" else f"the signature with {key}"
        hint = "prolong the key and put it into the Secret anew"
        return VerifyError(f"{what} has expired", where=where, hint=hint, code="SS2104")
    if word == "REVKEYSIG":
        hint = "sign it anew with another key"
        return VerifyError(f"the {key} that signed it is revoked", where=where, hint=hint, code="SS2105")
    return malformed(where, f"gpg cannot check its signature with {key}")
