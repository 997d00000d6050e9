"""Owns the judgement of one push: proof, then shape, then what it says. Pure; must not look at the store or at Git.

A push is only a hint: it chooses sources to look at, never what is enforced. The provider stands in the receiver's
configuration and is never guessed from headers, and there is no fallback to a weaker proof.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qs

from reconciler.limits import PUSH_REFS

Result = Literal["accept", "reject", "ignore"]
Fault = Literal["", "proof", "shape"]

_FORM: Final = "application/x-www-form-urlencoded"
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What `git check-ref-format` forbids in a name.
_BAD_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|[./]$")
_REF_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class PushedRef:
    """One ref of an event: full name, and the new id as sent (None: deleted)."""

    ref: str
    sha: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a push is. `repos` are all spellings of the repository's URL, `fault` says why a reject is one."""

    result: Result
    event: str = ""
    refs: tuple[PushedRef, ...] = ()
    repos: tuple[str, ...] = ()
    delivery: str = ""
    reason: str = ""
    fault: Fault = ""

    def as_json(self) -> dict[str, Any]:
        """As `setscrew receiver verify` prints it."""
        return {
            "result": self.result,
            "event": self.event,
            "refs": [{"ref": item.ref, "sha": item.sha} for item in self.refs],
            "repo": self.repos[0] if self.repos else "",
            "reason": self.reason,
        }


def judge_github(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> Verdict:
    """Judge one delivery of GitHub. `headers` in any case; never raises, whatever the body holds."""
    names = {name.lower(): value for name, value in headers.items()}
    if not proven(secrets, names.get("x-hub-signature-256", ""), body):
        return Verdict("reject", reason="the signature is missing or wrong", fault="proof")
    event = names.get("x-github-event", "")
    delivery = names.get("x-github-delivery", "")[:200]
    try:
        return _event(event, delivery, _payload(names.get("content-type", ""), body))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else "the payload is not that of the event"
        return Verdict("reject", event=event[:50], delivery=delivery, reason=reason, fault="shape")


def proven(secrets: Sequence[bytes], signature: str, body: bytes) -> bool:
    """True when `signature` is `sha256=<hex>` of `body` under one of the secrets; each costs the same time.

    Without a secret nothing is proven.
    """
    given = signature.encode("utf-8", "replace")
    right = False
    for secret in secrets:
        expected = b"sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
        right |= hmac.compare_digest(expected, given) and bool(secret)
    return right


def is_form(content_type: str) -> bool:
    """True for the content type of forms, which is GitHub's default."""
    return _media_type(content_type) == _FORM


def is_json(content_type: str) -> bool:
    """True for JSON."""
    return _media_type(content_type) == "application/json"


def _event(event: str, delivery: str, payload: dict[str, Any]) -> Verdict:
    if event == "ping":
        return Verdict("ignore", event="ping", delivery=delivery, reason="ping")
    if event != "push":
        return Verdict("ignore", event=event[:50], delivery=delivery, reason="not an event that moves a ref")
    repository = payload["repository"]
    found = [repository.get(name) for name in ("clone_url", "ssh_url", "html_url")]
    repos = tuple(url for url in found if isinstance(url, str) and url)
    if not repos:
        raise ValueError("the repository has no URL")
    refs = _refs([(payload["ref"], payload["after"], payload.get("deleted", False))])
    deleted = all(item.sha is None for item in refs)
    return Verdict("accept", "delete" if deleted else "push", refs, repos, delivery)


def _refs(found: Sequence[tuple[Any, Any, Any]]) -> tuple[PushedRef, ...]:
    if len(found) > PUSH_REFS:
        raise ValueError(f"more than {PUSH_REFS} refs")
    return tuple(PushedRef(_ref(name), _new_id(after, deleted)) for name, after, deleted in found)


def _ref(name: Any) -> str:
    if not isinstance(name, str) or not name.startswith("refs/") or len(name.encode()) > _REF_BYTES:
        raise ValueError("the ref is not a full name")
    if _BAD_REF.search(name):
        raise ValueError("the ref is not a valid name")
    return name


def _new_id(after: Any, deleted: Any) -> str | None:
    if not isinstance(after, str) or not _OBJECT_ID.fullmatch(after):
        raise ValueError("the new id is not an object id")
    return None if deleted is True or not after.strip("0") else after


def _payload(content_type: str, body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8")
    if is_form(content_type):
        text = parse_qs(text, strict_parsing=True, max_num_fields=10)["payload"][0]
    payload = json.loads(text)
    if not isinstance(payload, dict):
        raise ValueError("the payload is not an object")  # noqa: TRY004 (all faults of shape are one kind)
    return payload


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
