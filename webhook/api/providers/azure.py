"""Owns the form of Azure DevOps: `git.push` of a service hook, proven by Basic, for there is no signature. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from webhook.api.providers import names
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.proof import basic, held
from webhook.api.providers.verdict import Verdict, other, pushed


def proven(secrets: Sequence[bytes], delivery: Delivery, _now: float) -> bool:
    """The secret is `user:password`."""
    return held(secrets, delivery.body, basic(delivery))


def read(delivery: Delivery) -> Verdict:
    """`git.push`, with all refs of the push."""
    payload = delivery.payload()
    event, found = payload["eventType"], payload.get("id")
    number = found if isinstance(found, str) else ""
    if not isinstance(event, str):
        raise ValueError("the event has no name")  # noqa: TRY004 (all faults of shape are one kind)
    if event != "git.push":
        return other(event, number)
    resource = payload["resource"]
    if not resource["refUpdates"]:
        raise ValueError("no ref has changed")
    refs = (names.moved(update["name"], update["newObjectId"]) for update in resource["refUpdates"])
    return pushed(refs, names.urls(resource["repository"], "remoteUrl"), number)
