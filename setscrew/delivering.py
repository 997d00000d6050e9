"""Owns the making of a delivery as a sender makes it, for trials. Must not send it, nor share code with the judgement.

Only what a receiver reads is in it: a provider's own deliveries hold much more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

_FAMILY: Final = ("gitea", "forgejo", "gogs")
_SIGNED_IN: Final = {
    "github": "X-Hub-Signature-256",
    "bitbucket-cloud": "X-Hub-Signature",
    "bitbucket-server": "X-Hub-Signature",
    "generic-hmac": "X-Signature",
}
_EVENTS: Final = {
    "github": ("X-GitHub-Event", "push"),
    "gitlab": ("X-Gitlab-Event", "Push Hook"),
    **{name: (f"X-{name.capitalize()}-Event", "push") for name in _FAMILY},
    "bitbucket-cloud": ("X-Event-Key", "repo:push"),
    "bitbucket-server": ("X-Event-Key", "repo:refs_changed"),
}
_NUMBERS: Final = {
    "github": "X-GitHub-Delivery",
    "gitlab": "Idempotency-Key",
    **{name: f"X-{name.capitalize()}-Delivery" for name in _FAMILY},
    "bitbucket-cloud": "X-Request-UUID",
    "bitbucket-server": "X-Request-Id",
    "generic-hmac": "X-Delivery",
}


@dataclass(frozen=True, slots=True)
class Push:
    """What a trial tells: a ref of a repository has this id now. `number` names the delivery, `now`: Unix seconds."""

    repo: str
    ref: str
    after: str
    number: str
    now: int


def delivery(provider: str, secret: bytes, push: Push) -> tuple[dict[str, str], bytes]:
    """Headers and body of a push."""
    body = json.dumps(_payload(provider, push)).encode()
    headers = {"Content-Type": "application/json", **proof(provider, secret, body, push.number, push.now)}
    headers |= dict([_EVENTS[provider]]) if provider in _EVENTS else {}
    return headers | ({_NUMBERS[provider]: push.number} if provider in _NUMBERS else {}), body


def proof(provider: str, secret: bytes, body: bytes, number: str, now: int) -> dict[str, str]:
    """The headers that prove a body."""
    if provider == "gitlab":
        return _gitlab(secret, body, number, now)
    if provider == "azure-devops":
        return {"Authorization": "Basic " + base64.b64encode(secret).decode()}
    if provider == "harbor":
        return {"Authorization": secret.decode("utf-8", "replace")}
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    if provider in _FAMILY:
        return {f"X-{provider.capitalize()}-Signature": digest}
    return {_SIGNED_IN[provider]: f"sha256={digest}"}


def _gitlab(secret: bytes, body: bytes, number: str, now: int) -> dict[str, str]:
    if not secret.startswith(b"whsec_"):
        return {"X-Gitlab-Token": secret.decode("utf-8", "replace")}
    key = base64.b64decode(secret.removeprefix(b"whsec_"))
    digest = hmac.new(key, f"{number}.{now}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": number, "webhook-timestamp": str(now), "webhook-signature": signature}


def _payload(provider: str, push: Push) -> dict[str, Any]:
    moved = {"ref": push.ref, "before": "0" * len(push.after), "after": push.after}
    if provider == "gitlab":
        return {**moved, "event_name": "push", "checkout_sha": push.after, "project": {"git_http_url": push.repo}}
    if provider == "bitbucket-cloud":
        kind = "tag" if push.ref.startswith("refs/tags/") else "branch"
        new = {"type": kind, "name": push.ref.split("/", 2)[-1], "target": {"hash": push.after}}
        return {
            "push": {"changes": [{"new": new, "old": None}]},
            "repository": {"links": {"html": {"href": push.repo}}},
        }
    if provider == "bitbucket-server":
        change = {"ref": {"id": push.ref}, "toHash": push.after, "type": "UPDATE"}
        return {"changes": [change], "repository": {"links": {"clone": [{"name": "http", "href": push.repo}]}}}
    if provider == "azure-devops":
        updates = [{"name": push.ref, "newObjectId": push.after}]
        resource = {"refUpdates": updates, "repository": {"remoteUrl": push.repo}}
        return {"eventType": "git.push", "id": push.number, "resource": resource}
    if provider == "harbor":
        return _artifact(push)
    return (
        {**moved, "repo": push.repo}
        if provider == "generic-hmac"
        else {**moved, "repository": {"clone_url": push.repo}}
    )


def _artifact(push: Push) -> dict[str, Any]:
    parts = urlsplit(push.repo)
    name, digest = parts.path.strip("/"), "sha256:" + hashlib.sha256(push.after.encode()).hexdigest()
    pushed = {"digest": digest, "tag": "trial", "resource_url": f"{parts.netloc}/{name}:trial"}
    data = {"resources": [pushed], "repository": {"repo_full_name": name}}
    return {"type": "PUSH_ARTIFACT", "event_data": data}
