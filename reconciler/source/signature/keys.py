"""Owns the keys that may sign, as a Secret holds them: `*.sshpub` for SSH, `*.asc` for PGP, both at once allowed.

Pure; must not verify anything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from reconciler.errors import VerifyError
from reconciler.source.signature.wire import Wire

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

# Which kinds of keys may sign, and by which algorithms. No DSA, no SHA-1, no certificates.
ALGORITHMS: Final[Mapping[str, frozenset[bytes]]] = {
    "ssh-ed25519": frozenset({b"ssh-ed25519"}),
    "ecdsa-sha2-nistp256": frozenset({b"ecdsa-sha2-nistp256"}),
    "ecdsa-sha2-nistp384": frozenset({b"ecdsa-sha2-nistp384"}),
    "ecdsa-sha2-nistp521": frozenset({b"ecdsa-sha2-nistp521"}),
    "ssh-rsa": frozenset({b"rsa-sha2-256", b"rsa-sha2-512"}),
    "sk-ssh-ed25519@openssh.com": frozenset({b"sk-ssh-ed25519@openssh.com"}),
    "sk-ecdsa-sha2-nistp256@openssh.com": frozenset({b"sk-ecdsa-sha2-nistp256@openssh.com"}),
}
_PGP_BEGIN: Final = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_PRIVATE: Final = b"PRIVATE KEY"


@dataclass(frozen=True, slots=True)
class SshKey:
    """One key. `name` is its comment or else its file; `application` is that of a hardware key, b"" for others."""

    name: str
    kind: str
    blob: bytes
    public: PublicKey
    application: bytes = b""

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it: `SHA256:<43 characters>`."""
        return fingerprint(self.blob)


@dataclass(frozen=True, slots=True)
class Keys:
    """SSH keys by their wire form, and armored PGP keys by the name of their file."""

    ssh: Mapping[bytes, SshKey]
    pgp: Mapping[str, bytes]


def fingerprint(blob: bytes) -> str:
    """Of an SSH key in its wire form: `SHA256:<43 characters>`."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')}"


def load_keys(secret: Mapping[str, bytes], name: str) -> Keys:
    """The keys in a Secret; what bears no known ending is not looked at. `name` is what messages call the Secret.

    Raises VerifyError SS2110, which never quotes content: the wrong file may hold a private key.
    """
    if private := sorted(
        file for file, data in secret.items() if _PRIVATE in data and file.endswith((".asc", ".sshpub"))
    ):
        raise _bad(name, private[0], "holds a private key")
    ssh = {
        key.blob: key for file in sorted(secret) if file.endswith(".sshpub") for key in _ssh(name, file, secret[file])
    }
    pgp = {file: data for file, data in sorted(secret.items()) if file.endswith(".asc")}
    if strange := [file for file, data in pgp.items() if not data.lstrip().startswith(_PGP_BEGIN)]:
        raise _bad(name, strange[0], "is no armored PGP public key")
    if not ssh and not pgp:
        hint = "put SSH public keys into *.sshpub and PGP public keys into *.asc"
        raise VerifyError("holds no key that could sign", where=f"Secret {name}", hint=hint, code="SS2110")
    return Keys(ssh, pgp)


def _ssh(name: str, file: str, data: bytes) -> Iterator[SshKey]:
    for number, row in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        line = row.strip()
        if not line or line.startswith("#"):
            continue
        kind, _, rest = line.partition(" ")
        text, _, comment = rest.strip().partition(" ")
        if kind not in ALGORITHMS:
            raise _bad(name, file, f"line {number} is no SSH public key of a kind that may sign")
        try:
            yield _key(comment.strip() or file.removesuffix(".sshpub"), kind, text)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise _bad(name, file, f"line {number} is a damaged SSH public key") from error


def _key(name: str, kind: str, text: str) -> SshKey:
    blob = base64.b64decode(text, validate=True)
    public = load_ssh_public_key(f"{kind} {text}".encode())
    if not isinstance(public, Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey):
        raise binascii.Error("another kind of key")
    application = b""
    if kind.startswith("sk-"):
        wire = Wire(blob)
        strings = [wire.string() for _ in range(4 if "ecdsa" in kind else 3)]
        application = strings[-1]
    return SshKey(name, kind, blob, public, application)


def _bad(name: str, file: str, why: str) -> VerifyError:
    hint = "one key a line, `type base64 comment`" if file.endswith(".sshpub") else "gpg --armor --export"
    return VerifyError(f"{file} {why}", where=f"Secret {name}", hint=hint, code="SS2110")
