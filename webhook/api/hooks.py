"""Owns `POST /hooks/v1/<name>`: limits, rate, replay, and the poke that follows. The judgement is `providers`'.

401 (wrong proof) and 404 (no such receiver) say the same and cost the same: names of receivers cannot be probed.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request
from flask.json import dumps
from prometheus_client import Counter

from reconciler.errors import StoreError
from reconciler.limits import (
    POKE_SECONDS,
    PUSH_BURST,
    PUSH_DISCARD_BYTES,
    PUSH_DISCARD_SECONDS,
    PUSH_RATE_PER_SECOND,
    PUSH_READ_SECONDS,
)
from webhook.api.bucket import Bucket
from webhook.api.configuration import Receiver, Secret
from webhook.api.ports import ApiSettings, ApiState, Refresh
from webhook.api.problems import LOG, Problem
from webhook.api.providers import PROVIDERS, judge
from webhook.api.providers.delivery import is_form, is_json
from webhook.api.providers.verdict import PushedRef, Verdict
from webhook.api.urls import normal_url, ref_matches

_CHUNK = 64 * 1024
_UNPROVEN = "no such receiver, or the signature is missing or wrong"


def blueprint(state: ApiState, settings: ApiSettings, refresh: Refresh, deliveries: Counter) -> Blueprint:
    """`/hooks/v1`."""
    routes = Blueprint("hooks", __name__, url_prefix="/hooks/v1")
    buckets = {name: Bucket(PUSH_BURST, PUSH_RATE_PER_SECOND) for name in settings.receivers()}
    nobody = _nobody(settings.receivers())

    @routes.post("/<name>")
    def push(name: str) -> Response:
        receiver = settings.receivers().get(name, nobody)
        try:
            status, body = _take(receiver, state, settings, refresh, buckets)
        except Problem as error:
            _count(
                deliveries, receiver, {401: "unproven", 413: "too-large", 429: "limited"}.get(error.status, "failed")
            )
            raise
        _count(deliveries, receiver, body["status"])
        return Response(dumps(body) + "\n", status, content_type="application/json")

    return routes


def _nobody(receivers: Mapping[str, Receiver]) -> Receiver:
    """What unknown names are judged against: a receiver like a real one, so that they take as long."""
    model = next(iter(receivers.values()), Receiver("", "github", (), (Secret(b""),)))
    unguessable = tuple(replace(secret, value=secrets.token_bytes(32)) for secret in model.secrets)
    return Receiver("", model.provider, (), unguessable)


def _take(
    receiver: Receiver, state: ApiState, settings: ApiSettings, refresh: Refresh, buckets: dict[str, Bucket]
) -> tuple[int, dict[str, Any]]:
    body, now = read_body(settings.push_body_bytes), settings.now()
    verdict = judge(receiver.provider, receiver.valid(now), _headers(), body, now.timestamp())
    if verdict.fault == "proof":
        raise Problem(401 if receiver.name else 404, _UNPROVEN, alike=True)
    wait = buckets[receiver.name].take()
    if wait:
        raise Problem(429, "too many deliveries", headers={"Retry-After": str(int(wait) + 1)})
    if verdict.fault:
        raise Problem(400, verdict.reason)
    return _act(receiver, verdict, state, settings, refresh)


def _headers() -> dict[str, str]:
    """As they were sent: WSGI reads each byte as a character of its own."""
    sent = request.headers.items()
    return {name: value.encode("latin-1", "replace").decode("utf-8", "replace") for name, value in sent}


def _act(
    receiver: Receiver, verdict: Verdict, state: ApiState, settings: ApiSettings, refresh: Refresh
) -> tuple[int, dict[str, Any]]:
    answer = {"status": "ignored", "delivery": verdict.delivery, "sources": []}
    if verdict.event == "ping" and "ping" in receiver.events:
        return 200, answer | {"status": "pong"}
    if verdict.result == "ignore":
        return 200, answer | {"reason": verdict.reason}
    if verdict.delivery and state.seen(receiver.name, verdict.delivery):
        return 200, answer | {"status": "duplicate"}
    names = matching(receiver, verdict, state.sources())
    if not names:
        return 200, answer | {"reason": "no source of this receiver follows this repository and ref"}
    _poke(names, refresh)
    # Noted only now: a delivery that could not be passed on must not be a duplicate when it is sent again.
    _note(receiver, verdict, state, settings)
    return 202, answer | {"status": "accepted", "sources": names}


def _note(receiver: Receiver, verdict: Verdict, state: ApiState, settings: ApiSettings) -> None:
    """Remember the delivery, if the store has the time: a repeat costs one look at Git, a late answer the hook."""
    try:
        if verdict.delivery:
            state.note(receiver.name, verdict.delivery, "accepted", settings.now())
    except StoreError as error:
        LOG.warning("a delivery is not remembered: %s", error)


def matching(receiver: Receiver, verdict: Verdict, sources: Iterable[dict[str, Any]]) -> list[str]:
    """Names of the sources that follow one of the pushed refs of that repository; all of its, where none is told."""
    if PROVIDERS[receiver.provider].artifacts:
        return []
    repos = {normal_url(url) for url in verdict.repos} - {""}
    refs = [item.ref for item in verdict.refs if _event(item) in receiver.events]
    every = not verdict.refs and "push" in receiver.events

    def pushed(followed: Mapping[str, Any]) -> bool:
        if normal_url(str(followed["url"])) not in repos:
            return False
        return every or any(ref_matches(str(followed["ref"]), ref) for ref in refs)

    return [
        str(source["name"])
        for source in sources
        if receiver.watches(str(source["name"])) and any(map(pushed, (source, *source.get("beside", ()))))
    ]


def _event(item: PushedRef) -> str:
    """By the words of a receiver's `events`."""
    return "delete" if item.deleted else "tag" if item.ref.startswith("refs/tags/") else "push"


def read_body(limit: int) -> bytes:
    """The raw body: its length judged before it is read, counted while it is read. Raises Problem 400, 413 or 415."""
    content_type = request.headers.get("Content-Type", "")
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit, request.content_length)
    if not (is_json(content_type) or is_form(content_type)) or "Content-Encoding" in request.headers:
        raise Problem(415, "send application/json or application/x-www-form-urlencoded, not compressed")
    body = bytearray()
    try:
        for chunk in _chunks(PUSH_READ_SECONDS):
            body += chunk
            if len(body) > limit:
                raise _too_large(limit, len(body))
    except OSError:
        raise Problem(400, "the body ended early") from None
    if request.content_length is not None and len(body) != request.content_length:
        raise Problem(400, "the body ended early")
    return bytes(body)


def _too_large(limit: int, length: int) -> Problem:
    # Most senders look for the answer only when they have sent all; a body that could be a real push is let pass by,
    # unkept, so that its sender is told 413 instead of a broken connection.
    dropped = 0
    with contextlib.suppress(OSError, Problem):
        for chunk in _chunks(PUSH_DISCARD_SECONDS) if length <= PUSH_DISCARD_BYTES else ():
            dropped += len(chunk)
            if dropped > PUSH_DISCARD_BYTES:
                break
    return Problem(413, f"a push may have {limit} bytes")


def _chunks(seconds: float) -> Iterator[bytes]:
    deadline = time.monotonic() + seconds
    while chunk := request.environ["wsgi.input"].read(_CHUNK):
        yield chunk
        if time.monotonic() > deadline:
            raise Problem(400, "the body took too long")


def _poke(names: Iterable[str], refresh: Refresh) -> None:
    deadline = time.monotonic() + POKE_SECONDS
    try:
        for name in names:
            refresh(name)
            if time.monotonic() > deadline:
                raise TimeoutError("it takes too long")
    except OSError as error:
        LOG.error("the reconciler cannot be asked: %s", error)
        raise Problem(503, "the reconciler cannot be asked now", headers={"Retry-After": "10"}) from None


def _count(deliveries: Counter, receiver: Receiver, result: str) -> None:
    deliveries.labels(receiver.name or "unknown", receiver.provider if receiver.name else "unknown", result).inc()
