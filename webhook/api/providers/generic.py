"""Owns our own form, for senders that we know nothing of: `{"repo": URL, "ref": …, "after": …}` with an HMAC. Pure.

`ref` and `after` may be left out: without a ref all refs of the repository are meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from webhook.api.providers import names
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.proof import signed
from webhook.api.providers.verdict import PushedRef, Verdict, pushed

_ALGORITHMS: Final = ("sha256", "sha512")


def proven(secrets: Sequence[bytes], delivery: Delivery, _now: float) -> bool:
    """`X-Signature: sha256=<hex>`, or sha512."""
    given = delivery.raw("x-signature")
    named = given.partition(b"=")[0]
    algorithm = next((name for name in _ALGORITHMS if name.encode() == named), _ALGORITHMS[0])
    return signed(secrets, delivery.body, given, f"{algorithm}=".encode(), algorithm)


def read(delivery: Delivery) -> Verdict:
    """Every delivery is a push."""
    payload = delivery.payload()
    refs = () if payload.get("ref") is None else (_ref(payload),)
    return pushed(refs, names.urls(payload, "repo"), delivery.header("x-delivery"))


def _ref(payload: Mapping[str, Any]) -> PushedRef:
    if payload.get("after") is None:
        return PushedRef(names.full_ref(payload["ref"]), None)
    return names.moved(payload["ref"], payload["after"])
