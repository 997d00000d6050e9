"""Owns verifying SSH signatures (SSHSIG, as `git` and `ssh-keygen -Y sign` make them). Pure; must not run a program.

Nothing of a signature says who may sign: its key is only looked up among those that are listed, byte by byte.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from reconciler.limits import SIGNING_RSA_BITS
from reconciler.source.signature.keys import ALGORITHMS, PublicKey, SshKey, fingerprint
from reconciler.source.signature.signed import Signed, changed, malformed, unlisted
from reconciler.source.signature.wire import Wire, WireError, string

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_NAMESPACE: Final = b"git"
_HASHES: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_TOUCHED: Final = 0x01
_CURVE_HASHES: Final[Mapping[str, type[hashes.HashAlgorithm]]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}


@dataclass(frozen=True, slots=True)
class SshSignature:
    """A signature taken apart. `flags` (one byte, a counter of four) are those of a hardware key, b"" for others."""

    key: bytes
    namespace: bytes
    reserved: bytes
    hash_name: bytes
    algorithm: bytes
    signature: bytes
    flags: bytes = b""


def parse(armored: bytes) -> SshSignature:
    """The signature within its armor. Raises WireError for whatever is not exactly one SSHSIG of version 1."""
    rows = armored.strip(b"\n").split(b"\n")
    try:
        wire = Wire(base64.b64decode(b"".join(rows[1:-1]), validate=True))
    except binascii.Error:
        raise WireError("is no base64") from None
    if wire.take(len(_MAGIC)) != _MAGIC or wire.number() != _VERSION:
        raise WireError("is no SSHSIG of version 1")
    key, namespace, reserved, hash_name, blob = (wire.string() for _ in range(5))
    wire.end()
    inner = Wire(blob)
    algorithm, signature = inner.string(), inner.string()
    flags = inner.take(5) if algorithm.startswith(b"sk-") else b""
    inner.end()
    return SshSignature(key, namespace, reserved, hash_name, algorithm, signature, flags)


def verify(signed: Signed, keys: Mapping[bytes, SshKey]) -> SshKey:
    """Whose signature it is. Raises VerifyError: unknown key, wrong signature, or one that is too weak to count."""
    where = str(signed)
    try:
        found = parse(signed.signature)
        if b"-cert-" in Wire(found.key).string():
            raise malformed(where, "it is signed with an SSH certificate; only plain keys may sign")
        if found.namespace != _NAMESPACE or found.hash_name not in _HASHES:
            raise malformed(where, "its SSH signature was made for something else than Git, or with a weak hash")
        key = keys.get(found.key)
    except WireError as error:
        raise malformed(where, f"its SSH signature is damaged: {error}") from error
    if key is None:
        raise unlisted(where, f"SSH key {fingerprint(found.key)}")
    if weakness := _weakness(found, key):
        raise malformed(where, weakness)
    try:
        _check(key.public, found, _message(signed.payload, found, key))
    except (InvalidSignature, WireError):
        raise changed(where, f"SSH key {key.fingerprint}") from None
    return key


def _weakness(found: SshSignature, key: SshKey) -> str:
    """Why a signature by this key does not count whatever it says, "" where it does."""
    if found.algorithm not in ALGORITHMS[key.kind]:
        return "its SSH signature is of another kind than the key, or uses SHA-1"
    if isinstance(key.public, rsa.RSAPublicKey) and key.public.key_size < SIGNING_RSA_BITS:
        return f"it is signed with an RSA key of fewer than {SIGNING_RSA_BITS} bits"
    if found.flags and not found.flags[0] & _TOUCHED:
        return "nobody has touched the hardware key that signed it"
    return ""


def _message(payload: bytes, found: SshSignature, key: SshKey) -> bytes:
    digest = _HASHES[found.hash_name](payload).digest()
    message = _MAGIC + b"".join(map(string, (found.namespace, found.reserved, found.hash_name, digest)))
    if not found.flags:
        return message
    return hashlib.sha256(key.application).digest() + found.flags + hashlib.sha256(message).digest()


def _check(public: PublicKey, found: SshSignature, message: bytes) -> None:
    """Raises InvalidSignature, or WireError."""
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(found.signature, message)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        wire = Wire(found.signature)
        signature = encode_dss_signature(wire.mpint(), wire.mpint())
        wire.end()
        public.verify(signature, message, ec.ECDSA(_CURVE_HASHES[public.curve.name]()))
    else:
        algorithm = hashes.SHA512() if found.algorithm == b"rsa-sha2-512" else hashes.SHA256()
        full = found.signature.rjust((public.key_size + 7) // 8, b"\0")  # leading zeros may have been left out
        public.verify(full, message, padding.PKCS1v15(), algorithm)
