"""Owns how a sender proves itself: signature, shared token, Basic, Standard Webhooks. Pure; must not read the payload.

Compared are bytes, in constant time, and every secret is tried whatever came before: the time tells nothing of them. No
proof falls back to a weaker one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from reconciler.limits import PUSH_CLOCK_SECONDS
from webhook.api.providers.delivery import Delivery

Proof = Callable[[Sequence[bytes], Delivery, float], bool]
"""(secrets, delivery, Unix seconds now) -> proven. Never raises."""

SIGNING_TOKEN: Final = b"whsec_"
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


def signature(header: str, prefix: str = "") -> Proof:
    """The header holds `prefix` and the HMAC-SHA256 of the raw body in hex."""

    def proof(secrets: Sequence[bytes], delivery: Delivery, _now: float) -> bool:
        return signed(secrets, delivery.body, delivery.raw(header), prefix.encode())

    return proof


def signed(secrets: Iterable[bytes], text: bytes, given: bytes, prefix: bytes = b"", algorithm: str = "sha256") -> bool:
    """True when `given` is `prefix` and the hex HMAC of `text` under one of the secrets; without a secret never."""
    right = False
    for secret in secrets:
        expected = prefix + hmac.digest(secret, text, algorithm).hex().encode()
        right |= hmac.compare_digest(expected, given) and bool(secret)
    return right


def held(secrets: Iterable[bytes], body: bytes, given: bytes) -> bool:
    """True when `given` is one of the secrets. An empty one is none."""
    right = False
    for secret in secrets:
        # As long as a signature takes: whether a name is that of a receiver cannot be told by the time.
        hmac.digest(secret, body, "sha256")
        same = hmac.compare_digest(hashlib.sha256(secret).digest(), hashlib.sha256(given).digest())
        right |= same and bool(secret)
    return right


def basic(delivery: Delivery) -> bytes:
    """`user:password` of the header Authorization, b"" where it has none."""
    scheme, _, value = delivery.header("authorization").partition(" ")
    try:
        found = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return found if scheme.lower() == "basic" and b":" in found else b""


def signing_key(secret: bytes) -> bytes | None:
    """The key of a signing token `whsec_<base64>`; None for another kind of secret, b"" for one that is damaged."""
    if not secret.startswith(SIGNING_TOKEN):
        return None
    try:
        return base64.b64decode(secret.removeprefix(SIGNING_TOKEN), validate=True)
    except (binascii.Error, ValueError):
        return b""


def standard_webhook(keys: Iterable[bytes], delivery: Delivery, now: float) -> bool:
    """Standard Webhooks: one of the listed signatures over id, time and body is right, and the time is of now."""
    number, time = delivery.raw("webhook-id"), delivery.header("webhook-timestamp")
    text = b".".join((number, time.encode("utf-8", "surrogatepass"), delivery.body))
    given = [part.removeprefix(b"v1,") for part in delivery.raw("webhook-signature").split(b" ") if part[:3] == b"v1,"]
    right = False
    for key in keys:
        expected = base64.b64encode(hmac.digest(key, text, "sha256"))
        for one in given:
            right |= hmac.compare_digest(expected, one) and bool(key)
    fresh = bool(_TIMESTAMP.fullmatch(time)) and abs(now - int(time)) <= PUSH_CLOCK_SECONDS
    return right and fresh and bool(number)
