"""Owns GitLab's form of a delivery: secret token, or signing token (`whsec_…`, from 19.0 on) with time. Pure.

A receiver with a signing token takes nothing else. A signature that is there must be right, also where only a secret
token is configured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.limits import PUSH_CLOCK_SECONDS
from webhook.api.providers import names
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.proof import SIGNING_TOKEN, held, signing_key, standard_webhook
from webhook.api.providers.verdict import PushedRef, Verdict, other, pushed

BY: Final = (
    f"webhook-signature, or a webhook-timestamp within {PUSH_CLOCK_SECONDS} s of now"
    " (X-Gitlab-Token where neither side has a signing token)"
)
_PUSHES = frozenset({"push", "tag_push", "repository_update"})
_HOOKS = {"Push Hook": "push", "Tag Push Hook": "tag_push"}


def proven(secrets: Sequence[bytes], delivery: Delivery, now: float) -> bool:
    """By the signature where there is one or must be one, else by the token."""
    keys = [key for secret in secrets if (key := signing_key(secret)) is not None]
    if keys or "webhook-signature" in delivery.headers:
        return standard_webhook(keys, delivery, now)
    tokens = [secret for secret in secrets if not secret.startswith(SIGNING_TOKEN)]
    return held(tokens, delivery.body, delivery.raw("x-gitlab-token"))


def read(delivery: Delivery) -> Verdict:
    """Push and tag push of a project, and the same of a system hook."""
    payload = delivery.payload()
    number = _number(delivery)
    hook = delivery.header("x-gitlab-event")
    event = payload["event_name"] if hook == "System Hook" else _HOOKS.get(hook)
    if event not in _PUSHES:
        return other(event or hook, number)
    repos = names.urls(payload["project"], "git_http_url", "git_ssh_url", "web_url")
    return pushed(_refs(payload, several=event == "repository_update"), repos, number)


def _number(delivery: Delivery) -> str:
    known = ("webhook-id", "idempotency-key", "x-gitlab-event-uuid")
    return next((delivery.header(name) for name in known if delivery.header(name)), "")


def _refs(payload: Mapping[str, Any], *, several: bool) -> Iterator[PushedRef]:
    if not several:
        yield _ref(payload)
        return
    if not payload["changes"]:
        raise ValueError("no ref has changed")
    yield from (names.moved(change["ref"], change["after"]) for change in payload["changes"])


def _ref(payload: Mapping[str, Any]) -> PushedRef:
    """Of an annotated tag, `after` is the tag object and `checkout_sha` the commit; a deleted ref has null there."""
    after = names.moved(payload["ref"], payload["after"])
    if "checkout_sha" not in payload:
        return after
    commit = payload["checkout_sha"]
    return names.gone(after.ref) if after.deleted or commit is None else names.moved(after.ref, commit)
