"""Owns what hostile deliveries are made of, and what must hold of their judgement, known without the code under test.

Two of three are changed in their payload and then signed, for only what is proven is read; the rest are changed after.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from flask.testing import FlaskClient

from setscrew.delivering import Push, delivery, proof
from tests.fuzz import mutations
from tests.support.receiver_cases import Delivery, deliveries
from webhook.api.app import create_api_app
from webhook.api.configuration import Receiver, Secret
from webhook.api.ports import ApiSettings
from webhook.api.providers import PROVIDERS, judge

_NOW: Final = 1_795_000_000
_REF: Final = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")
_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ANSWER_BYTES: Final = 1024 * 1024
_STATUSES: Final = frozenset({200, 202, 400, 401, 413, 415, 429})
# What a hostile header holds.
_VALUES: Final = (
    "", "sha256=", "sha1=", "sha512=", "sha256=" + "0" * 64, "v1,", "v1, v1,", "Basic", "Basic ", "Basic !", "Bearer x",
    "push", "ping", "create", "delete", "System Hook", "Push Hook", "repo:push", "application/json", "text/plain",
    "application/x-www-form-urlencoded", "application/json; charset=utf-7", "1795000000", "-1", "1e9", "9" * 400,
    "\u00e4", "\x00", "\ud800", "a" * 9_000, ",", "*",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Input:
    """One delivery. `proven`: whether its sender knows the secret, None where its headers were tampered with."""

    name: str
    provider: str
    secret: bytes
    headers: Mapping[str, str]
    body: bytes
    proven: bool | None


@cache
def _seeds() -> list[Delivery]:
    made = []
    for provider in PROVIDERS:
        secret = b"hooks:0123456789abcdef"
        push = Push("https://git.example.com/a/b.git", "refs/heads/main", "a" * 40, "d", _NOW)
        headers, body = delivery(provider, secret, push)
        one = next(case for case in deliveries() if case.provider == provider and case.expected.result == "accept")
        made += [one, Delivery(provider, "a trial", secret, headers, body, _NOW, one.expected)]
    return [*deliveries(), *made * 8]


def make(number: str, pool: list[Any]) -> Input:
    """The input of that number."""
    chance = random.Random(number)  # noqa: S311 - the same numbers for the same seed are what is wanted
    one = chance.choice(_seeds())
    if chance.random() < 0.65:
        return _signed(one, chance, pool)
    headers, body = dict(one.headers), one.body
    if chance.random() < 0.6:
        for _ in range(chance.choice((1, 1, 2, 5))):
            name = chance.choice([*headers, *chance.choice(_seeds()).headers, "X-Other"])
            headers[name] = chance.choice((*_VALUES, *headers.values()))
        return Input(one.name, one.provider, one.secret, headers, body, None)
    body = _respelled(body, chance)
    # Where the proof is not over the body, it still is right.
    over_body = not {"Authorization", "X-Gitlab-Token"} & set(headers)
    return Input(one.name, one.provider, one.secret, headers, body, False if over_body and body != one.body else None)


def _signed(one: Delivery, chance: random.Random, pool: list[Any]) -> Input:
    """Changed, then signed as it is."""
    body = one.body
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    if isinstance(tree, dict) and chance.random() < 0.9:
        body = mutations.dumped(mutations.mutated(tree, chance, pool))
    if chance.random() < 0.2:
        body = _respelled(body, chance)
    stated = {name: value for name, value in one.headers.items() if name != "webhook-signature"}
    headers = {**stated, **proof(one.provider, one.secret, body, "d", _NOW)}
    return Input(one.name, one.provider, one.secret, headers, body, True)


def _respelled(body: bytes, chance: random.Random) -> bytes:
    try:
        return mutations.respelled(body or b"{}", chance)
    except UnicodeDecodeError:
        return body + b"\xff"


def finding(one: Input) -> str:
    """What is wrong with what is made of this input, or ""."""
    try:
        verdict = judge(one.provider, (one.secret,), one.headers, one.body, _NOW)
        printed = json.dumps(verdict.as_json()).encode()
    except Exception as error:  # noqa: BLE001 - whatever is raised is the finding
        return f"raised {error!r}"
    if len(printed) > _ANSWER_BYTES:
        return f"the verdict has {len(printed)} bytes"
    if one.proven is False and verdict.fault != "proof":
        return "accepted, though it is not proven"
    if one.proven and verdict.fault == "proof":
        return "not accepted as proven, though it is"
    if (verdict.result == "reject") != bool(verdict.fault) or (verdict.result != "accept" and verdict.refs):
        return f"a verdict that does not agree with itself: {verdict}"
    wrong = [item for item in verdict.refs if one.provider != "harbor" and not _fine(item.ref, item.sha)]
    return f"taken as a ref: {wrong[0]}" if wrong else _route(one)


def _fine(ref: str, sha: str | None) -> bool:
    return bool(_REF.fullmatch(ref)) and len(ref.encode()) <= 255 and (sha is None or bool(_SHA.fullmatch(sha)))


def _route(one: Input) -> str:
    """Every fortieth also goes the way of a request; a server sees no header that HTTP does not let through."""
    if len(one.body) % 40 or any(not _sendable(value) for value in one.headers.values()):
        return ""
    sent = {name: value.encode().decode("latin-1") for name, value in one.headers.items()}
    receivers = {"one": Receiver("one", one.provider, ("*",), (Secret(one.secret),))}
    answer = _client(receivers).post("/hooks/v1/one", data=one.body, headers=sent)
    return "" if answer.status_code in _STATUSES else f"answered {answer.status_code}"


def _sendable(value: str) -> bool:
    return "\x00" not in value and "\ud800" not in value and len(value) < 8_000


class _Nothing:
    """A state without sources."""

    def sources(self) -> list[dict[str, Any]]:
        return []

    def seen(self, *_: object) -> bool:
        return False


@cache
def _app(provider: str, secret: bytes) -> FlaskClient:
    receivers = {"one": Receiver("one", provider, ("*",), (Secret(secret),))}
    now = datetime.fromtimestamp(_NOW, UTC)
    settings = ApiSettings(token=b"token", now=lambda: now, receivers=lambda: receivers)
    return create_api_app(_Nothing(), settings, lambda _name: None).test_client()  # type: ignore[arg-type] # as asked


def _client(receivers: Mapping[str, Receiver]) -> FlaskClient:
    one = receivers["one"]
    return _app(one.provider, one.secrets[0].value)


def show(one: Input) -> str:
    """The input, for people."""
    body = one.body.decode("utf-8", "backslashreplace")
    return f"{one.provider}, {one.name}\n{json.dumps(dict(one.headers), indent=1)}\n\n{body}"
