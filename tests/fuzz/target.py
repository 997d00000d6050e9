"""Owns what an input is tried on: the server's own way of a review, over the snapshots of the decision cases."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import yaml

from reconciler.errors import ReviewError
from reconciler.snapshot.model import MemorySnapshot
from tests.fuzz import mutations, oracle
from tests.support import decisions
from webhook.decision.decide import decide
from webhook.decision.look import CURRENT, Look
from webhook.decision.review import decode, encode
from webhook.server.judge import Judge

# Objects of the cases that a person may not change in anything: no fragment, no opt-out, no policy of their own.
GUARDED: Final = (
    "web", "service", "config", "secret", "role", "binding", "netpol", "namespace", "crd", "hook", "claim", "bare",
    "owned",
)  # fmt: skip
_SECONDS: Final = 600.0
_HEAD_UID: Final = re.compile(rb'\A\s*\{[^{}]*"request"\s*:\s*\{\s*"uid"\s*:\s*"([^"]*)"')
_HEAD: Final = b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1",'


@dataclass(frozen=True, slots=True)
class Seed:
    """A review to begin with, and what guards it. `git`: the manifest, where the oracle's rule holds."""

    name: str
    review: str
    judge: Judge
    git: Mapping[str, Any] | None = None

    @property
    def request(self) -> Mapping[str, Any]:
        """The request of the review before any change."""
        request: Mapping[str, Any] = json.loads(self.review)["request"]
        return request


@dataclass(frozen=True, slots=True)
class Seeds:
    """`persons`: a person's writes to objects that are as Git wants them. `cases`: the decision cases as they stand."""

    persons: Sequence[Seed]
    cases: Sequence[Seed]


@dataclass(frozen=True, slots=True)
class Input:
    """One body, the seed that it came of, and the number that makes it again."""

    number: str
    seed: Seed
    body: bytes


class _Held:
    """A snapshot that never moves, and a recorder that only sees that a record can be written."""

    def __init__(self, snapshot: MemorySnapshot) -> None:
        self._snapshot = snapshot

    def current(self) -> MemorySnapshot:
        return self._snapshot

    def poll(self) -> None:
        return None

    def put(self, record: Mapping[str, object]) -> None:
        json.dumps(record)


def seeds() -> Seeds:
    """All of them; building the snapshots takes some seconds."""
    held = _judge(decisions.snapshot(GUARDED))
    persons = [
        Seed(
            f"{name} {operation}", _review({"object": name, "operation": operation}), held, decisions.manifests(name)[0]
        )
        for name in GUARDED
        for operation in ("UPDATE", "UPDATE", "CREATE", "DELETE")
    ]
    return Seeds(persons, list(_cases()))


def _cases() -> Iterator[Seed]:
    judges: dict[str, Judge] = {}
    for file in sorted(decisions.CASES.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        for case in document["cases"]:
            whole = {**document.get("all", {}), **case}
            chosen = {key: whole[key] for key in ("policy", "confidence", "volatile", "adopted") if key in whole}
            names = whole.get("snapshot", [whole["object"]])
            key = json.dumps([names, chosen])
            if key not in judges:
                judges[key] = _judge(decisions.snapshot(names, chosen.pop("policy", None), **chosen))
            yield Seed(case["name"], _review(whole), judges[key])


def _review(case: Mapping[str, Any]) -> str:
    return json.dumps(json.loads(decisions.review(case)), separators=(",", ":"))


def _judge(snapshot: MemorySnapshot) -> Judge:
    async def refresh(seconds: float, source: str = "") -> Look:
        return CURRENT

    held = _Held(snapshot)
    return Judge(held, decide, decode, encode, refresh, held, lambda: 0.0)


def make(number: str, chosen: Seeds, pool: Sequence[Any]) -> Input:
    """The input of that number: half of them changes of an object that is guarded, a fifth only text can have."""
    chance = random.Random(number)  # noqa: S311 - the same numbers for the same seed are what is wanted
    one = chance.choice(chosen.persons if chance.random() < 0.6 else chosen.cases)
    under: tuple[str, ...] = ("request", "object") if chance.random() < 0.75 else ()
    if chance.random() < 0.35:
        under = (*under, chance.choice(("metadata", "spec"))) if under else ("request",)
    body = one.review.encode()
    if chance.random() < 0.9:
        body = mutations.dumped(mutations.mutated(msgspec.json.decode(body), chance, pool, under=under))
    return Input(number, one, mutations.respelled(body, chance) if chance.random() < 0.2 else body)


async def finding(one: Input, *, twice: bool = False) -> str:
    """What is wrong with the answer to this input, or "". `twice`: asked again, the answer must be the same."""
    answer = await _answer(one)
    if isinstance(answer, str):
        return answer
    if twice and await _answer(one) != answer:
        return "the second answer is another"
    if answer is None:
        readable = one.body.startswith(_HEAD) and not _other_version(one.body)
        return "a review with a readable uid has no verdict" if readable else ""
    return oracle.broken_form(answer, _uids(one.body)) or _admitted(one, answer)


async def _answer(one: Input) -> bytes | str | None:
    """The answer; None where it is an HTTP status; a text where something unforeseen was raised."""
    try:
        return await one.seed.judge.review(one.body, None, asyncio.get_running_loop().time() + _SECONDS)
    except ReviewError as error:
        known = error.status in (400, 413, 422) and error.code != ReviewError.code
        return None if known else f"status {error.status}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever is raised is the finding
        return f"raised {error!r}"


def _other_version(body: bytes) -> bool:
    try:
        review = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return (review["apiVersion"], review["kind"]) != ("admission.k8s.io/v1", "AdmissionReview")


def _uids(body: bytes) -> list[str]:
    """The uids that an answer may carry: the one at the head of the review, and another where one stands twice."""
    head = _HEAD_UID.match(body)
    found = [head[1].decode()] if head else []
    with contextlib.suppress(ValueError, RecursionError, LookupError, TypeError):
        found.append(json.loads(body.decode("utf-8"))["request"]["uid"])
    return found


def _admitted(one: Input, answer: bytes) -> str:
    if one.seed.git is None or json.loads(answer)["response"]["allowed"] is not True:
        return ""
    why = oracle.must_deny(one.seed.request, one.seed.git, one.body)
    return f"admitted, though {why}" if why else ""
