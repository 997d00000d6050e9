"""Owns the form of a delivery of Gitea, and of Forgejo and Gogs, which differ in the names of headers. Pure.

Each sends the headers of those it descends from as well: only its own are looked at. The signature has no prefix. Of a
form it is over the JSON in the field, not over the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from webhook.api.providers import names
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.proof import Proof, signed
from webhook.api.providers.verdict import PushedRef, Verdict, other, pushed

FAMILIES: Final = ("gitea", "forgejo", "gogs")


def header(family: str) -> str:
    """The name of the header with the proof."""
    return f"X-{family.capitalize()}-Signature"


def proof_of(family: str) -> Proof:
    """For `gitea`, `forgejo`, `gogs`."""
    name = header(family).lower()

    def proof(secrets: Sequence[bytes], delivery: Delivery, _now: float) -> bool:
        given = delivery.raw(name)
        right = signed(secrets, delivery.body, given)
        return signed(secrets, _field(delivery), given) or right if delivery.is_form else right

    return proof


def reader_of(family: str) -> Callable[[Delivery], Verdict]:
    """For `gitea`, `forgejo`, `gogs`: `push`, and `create` and `delete`, which is all that some send of a tag."""

    def read(delivery: Delivery) -> Verdict:
        event, number = delivery.header(f"x-{family}-event"), delivery.header(f"x-{family}-delivery")
        payload = delivery.payload()
        if event not in {"push", "create", "delete"}:
            return other(event, number)
        repos = names.urls(payload["repository"], "clone_url", "ssh_url", "html_url")
        return pushed([_ref(event, payload)], repos, number)

    return read


def _field(delivery: Delivery) -> bytes:
    try:
        return delivery.content()
    except ValueError:
        return b""


def _ref(event: str, payload: Mapping[str, Any]) -> PushedRef:
    if event == "push":
        return names.moved(payload["ref"], payload["after"])
    name = payload["ref"]
    full = isinstance(name, str) and name.startswith("refs/")
    ref = names.full_ref(name) if full else names.ref_of_kind(payload["ref_type"], name)
    return names.gone(ref) if event == "delete" else names.moved(ref, payload["sha"])
