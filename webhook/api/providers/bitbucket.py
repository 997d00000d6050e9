"""Owns the two forms of Bitbucket: Cloud, and Server (Data Center). Pure. They share a name and a header, no more.

Both tell of all refs of a push in one event. Cloud may tell of none, and then means all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from webhook.api.providers import names
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.proof import Proof, basic, held, signature
from webhook.api.providers.verdict import PushedRef, Verdict, other, ping, pushed

BY: Final = "X-Hub-Signature (Authorization where it is not sent)"
_SIGNATURE: Final = "x-hub-signature"
_CLOUD: Final = "https://bitbucket.org/"

signed: Final[Proof] = signature(_SIGNATURE, "sha256=")
cloud_proven = signed


def server_proven(secrets: Sequence[bytes], delivery: Delivery, now: float) -> bool:
    """By the signature if the header is there, else by Basic, for which the secret is `user:password`."""
    if _SIGNATURE in delivery.headers:
        return signed(secrets, delivery, now)
    return held(secrets, delivery.body, basic(delivery))


def read_cloud(delivery: Delivery) -> Verdict:
    """`repo:push`."""
    event, number = delivery.header("x-event-key"), delivery.header("x-request-uuid")
    payload = delivery.payload()
    if event != "repo:push":
        return other(event, number)
    changes = payload["push"]["changes"]
    if not isinstance(changes, list):
        raise ValueError("the changes are not a list")  # noqa: TRY004 (all faults of shape are one kind)
    return pushed(map(_cloud_ref, changes), _cloud_repos(payload["repository"]), number)


def read_server(delivery: Delivery) -> Verdict:
    """`repo:refs_changed`, and `diagnostics:ping` of the button Test connection."""
    event, number = delivery.header("x-event-key"), delivery.header("x-request-id")
    payload = delivery.payload()
    if event == "diagnostics:ping":
        return ping(number)
    if event != "repo:refs_changed":
        return other(event, number)
    if not payload["changes"]:
        raise ValueError("no ref has changed")
    links = payload["repository"]["links"]["clone"]
    return pushed(_server_refs(payload["changes"]), names.some_url(*(link["href"] for link in links)), number)


def _cloud_ref(change: Mapping[str, Any]) -> PushedRef:
    new = change["new"]
    if new is None:
        old = change["old"]
        return names.gone(names.ref_of_kind(old["type"], old["name"]))
    return names.moved(names.ref_of_kind(new["type"], new["name"]), new["target"]["hash"])


def _cloud_repos(repository: Mapping[str, Any]) -> tuple[str, ...]:
    name = repository.get("full_name")
    page = repository["links"]["html"]["href"] if "links" in repository else None
    return names.some_url(page, _CLOUD + name if isinstance(name, str) and name else None)


def _server_refs(changes: list[Mapping[str, Any]]) -> Iterator[PushedRef]:
    for change in changes:
        ref = names.moved(change["ref"]["id"], change["toHash"])
        yield names.gone(ref.ref) if change.get("type") == "DELETE" else ref
