"""Owns choosing the verifier: the signature's own type picks it, the listed keys decide. Must not know of modes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from reconciler.source.signature import pgp, ssh
from reconciler.source.signature.gpg import Keyring, keyring
from reconciler.source.signature.keys import Keys
from reconciler.source.signature.signed import Signed, unlisted

_NAME_CHARS: Final = 45
# GitHub's own key, of now and before 2024: https://github.com/web-flow.gpg
_WEB_FLOW: Final = frozenset({"968479A1AFF927E37D1A566BB5690EEEBB952194", "5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23"})


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed: a name, which is nobody's proof, and the fingerprint of the key, which is."""

    name: str
    fingerprint: str

    def __str__(self) -> str:
        """`Dana <dana@example.com> (SHA256:…)`, printable and of at most 98 characters; "" for nobody."""
        if not self.fingerprint:
            return ""
        name = "".join(sign if sign.isprintable() else "?" for sign in self.name)
        name = name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…"
        return f"{name} ({self.fingerprint})"


@dataclass(frozen=True, slots=True)
class Checker:
    """The listed keys, ready to be compared with signatures."""

    keys: Keys
    ring: Keyring | None

    def signer(self, signed: Signed) -> Signer:
        """Who signed it. Raises VerifyError."""
        if signed.armor() == "ssh":
            key = ssh.verify(signed, self.keys.ssh)
            return Signer(key.name, key.fingerprint)
        if self.ring is None:
            raise unlisted(str(signed), "a PGP key")
        content, rows = self.ring.verify(signed.payload, signed.signature)
        found = pgp.judge(str(signed), content, rows, self.ring.listed)
        return Signer(found.name, found.fingerprint)

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever listed these keys may not have thought of."""
        if self.ring is None or not self.ring.listed & _WEB_FLOW:
            return ()
        return ("GitHub's own key (web-flow) is listed: it signs for whoever may press a button on GitHub",)


@contextmanager
def checker(keys: Keys, name: str) -> Iterator[Checker]:
    """A checker; what it needs on disk is gone at the end. Raises as `keyring` does; `name` is that of the Secret."""
    if not keys.pgp:
        yield Checker(keys, None)
        return
    with keyring(keys.pgp, name) as ring:
        yield Checker(keys, ring)
