"""Owns GitHub's form of a delivery, also of GitHub Enterprise Server. Pure.

`X-Hub-Signature`, the SHA-1 that GitHub sends beside the other, is never looked at.
"""

from __future__ import annotations

from webhook.api.providers import names
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.proof import Proof, signature
from webhook.api.providers.verdict import Verdict, other, ping, pushed

proven: Proof = signature("x-hub-signature-256", "sha256=")


def read(delivery: Delivery) -> Verdict:
    """`push` and `ping`."""
    event, number = delivery.header("x-github-event"), delivery.header("x-github-delivery")
    payload = delivery.payload()
    if event == "ping":
        return ping(number)
    if event != "push":
        return other(event, number)
    repos = names.urls(payload["repository"], "clone_url", "ssh_url", "html_url")
    ref = names.moved(payload["ref"], payload["after"])
    return pushed([names.gone(ref.ref) if payload.get("deleted") is True else ref], repos, number)
