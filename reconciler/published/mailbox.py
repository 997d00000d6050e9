"""Owns the question "look at Git now" between replicas: a ConfigMap of each follower, which the leader answers in.

A question and its answer have the same number, in a key each, so that writers of both never meet. What is in a mailbox
is not signed: who may write there can have Git looked at, or keep an answer away, and no more. Must not look at Git.
"""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.decoding import decoded
from reconciler.cluster.watch import beats
from reconciler.errors import ApiError, ClusterError, SetscrewError, place
from reconciler.limits import (
    LIST_PAGE_OBJECTS,
    MAILBOX_ANSWER_BYTES,
    MAILBOX_IDLE_SECONDS,
    MAILBOX_LOOKS_AT_ONCE,
    MAILBOX_QUESTION_BYTES,
    MAILBOX_QUESTIONS,
    MAILBOXES,
)
from reconciler.model.own import GROUP, MAILBOX, SNAPSHOTS_NAMESPACE

COLLECTION: Final = f"/api/v1/namespaces/{SNAPSHOTS_NAMESPACE}/configmaps"
LABEL: Final = f"{GROUP}/mailbox"
_QUESTION: Final = "question."
_ANSWER: Final = "answer."
_MERGE: Final = "application/merge-patch+json"
_NUMBER_CHARS: Final = 32
News = dict[str, Any]
Refresh = Callable[[Collection[str]], Iterator[News]]


def ask(client: ApiClient, replica: str, source: str, seconds: float) -> Iterator[News]:
    """Have the leader look at a source ("": all) now: what it knows so far, each time that there is news.

    The answers are those of `Clockwork.refresh`. It ends with the last of them, or where none comes within `seconds`.
    Raises ClusterError.
    """
    number = uuid.uuid4().hex
    until = time.monotonic() + seconds
    tree = _put(client, replica, {_QUESTION + number: json.dumps({"source": source})})
    told = News()
    try:
        for mailbox in _changes(client, replica, str(tree["metadata"]["resourceVersion"]), until):
            answer = _news(mailbox, number)
            if answer and answer["news"] != told:
                yield (told := answer["news"])
            if answer.get("done"):
                return
    finally:
        with suppress(ClusterError):
            _put(client, replica, {_QUESTION + number: None, _ANSWER + number: None})


def _put(client: ApiClient, replica: str, data: Mapping[str, str | None]) -> News:
    """Set these keys and leave all others as they are; the mailbox is made where it is missing."""
    name, body = MAILBOX + replica, News(metadata={"labels": {LABEL: "true"}}, data=dict(data))
    try:
        return client.request("PATCH", f"{COLLECTION}/{name}", body, content_type=_MERGE)
    except ApiError as error:
        if error.status != 404 or None in data.values():
            raise
    with suppress(ApiError):  # another worker was faster
        return client.request("POST", COLLECTION, {**body, "metadata": {"name": name, **body["metadata"]}})
    return client.request("PATCH", f"{COLLECTION}/{name}", body, content_type=_MERGE)


def _changes(client: ApiClient, replica: str, version: str, until: float) -> Iterator[Mapping[str, Any]]:
    """The mailbox, each time that it changes, until the time is over or the watch ends."""
    while (left := until - time.monotonic()) > 0:
        query: dict[str, str | int | bool] = {
            "fieldSelector": f"metadata.name={MAILBOX}{replica}",
            "watch": True,
            "resourceVersion": version,
            "timeoutSeconds": math.ceil(left),
        }
        for line in client.lines(COLLECTION, query):
            event = decoded(line)
            if event["type"] == "ERROR":
                return
            version = str(event["object"]["metadata"]["resourceVersion"])
            yield event["object"]


def _news(mailbox: Mapping[str, Any], number: str) -> News:
    """The answer of that number; nothing while there is none, or for what is none."""
    text = (mailbox.get("data") or {}).get(_ANSWER + number)
    try:
        found = json.loads(text) if isinstance(text, str) and len(text) <= MAILBOX_ANSWER_BYTES else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("news"), dict) else {}


@dataclass(slots=True)
class _Seen:
    """A mailbox as it was last: its resourceVersion, and since when it stands like that."""

    version: str
    since: float


@dataclass(slots=True)
class Answering:
    """Answers the mailboxes of all replicas; for the leader. `refresh` looks at these sources (none: all)."""

    client: ApiClient
    refresh: Refresh
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _open: set[tuple[str, str]] = field(default_factory=set)
    # Questions that were answered: a list that was read before still shows them as open.
    _answered: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=MAILBOXES * MAILBOX_QUESTIONS))
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _told: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop`; what was asked before is answered too."""
        for _ in beats(self.client, COLLECTION, "", lambda why: self.say(f"questions of replicas: {why}")):
            if stop.is_set():
                return
            self._look()

    def _look(self) -> None:
        try:
            mailboxes = self._mailboxes()
            self._tidy({_name(one): one["metadata"]["resourceVersion"] for one in mailboxes})
            for mailbox in mailboxes:
                self._take(_name(mailbox), mailbox.get("data") or {})
            why = ""
        except Exception as error:  # noqa: BLE001 - one bad look must not end the answering
            why = str(error) if isinstance(error, SetscrewError) else place(error)
        if why and why != self._told:
            self.say(f"questions of replicas: {why}")
        self._told = why

    def _mailboxes(self) -> list[News]:
        query: dict[str, str | int | bool] = {"labelSelector": LABEL, "limit": LIST_PAGE_OBJECTS}
        items = self.client.request("GET", COLLECTION, query=query).get("items") or []
        return [one for one in items if _name(one).startswith(MAILBOX)][:MAILBOXES]

    def _take(self, name: str, data: Mapping[str, str]) -> None:
        """Each look that ends rings the bell, so that what is over the limit has its turn then."""
        asked = [key.removeprefix(_QUESTION) for key in data if key.startswith(_QUESTION)]
        for number in asked[:MAILBOX_QUESTIONS]:
            if len(number) > _NUMBER_CHARS or _is_done(data.get(_ANSWER + number)):
                continue
            with self._lock:
                busy = len(self._open) >= MAILBOX_LOOKS_AT_ONCE
                if busy or (name, number) in self._open or (name, number) in self._answered:
                    continue
                self._open.add((name, number))
            arguments = name, number, data[_QUESTION + number]
            threading.Thread(target=self._answer, args=arguments, daemon=True).start()

    def _answer(self, name: str, number: str, question: str) -> None:
        news = News()
        try:
            source = _source(question)
            if source is not None:
                for news in self.refresh([source] if source else []):
                    self._put(name, number, {"news": news})
            self._put(name, number, {"news": news, "done": True})
        except Exception as error:  # noqa: BLE001 - who asked hears nothing, and goes on without
            self.say(f"a replica could not be answered: {error if isinstance(error, SetscrewError) else place(error)}")
        finally:
            with self._lock:
                self._open.discard((name, number))
                self._answered.append((name, number))

    def _put(self, name: str, number: str, answer: News) -> None:
        """Nobody waits where the mailbox is gone."""
        body = {"data": {_ANSWER + number: json.dumps(answer)}}
        try:
            self.client.request("PATCH", f"{COLLECTION}/{name}", body, content_type=_MERGE)
        except ApiError as error:
            if error.status != 404:
                raise

    def _tidy(self, versions: Mapping[str, str]) -> None:
        """Remove mailboxes in which nothing has moved for long: their replica is dead, or makes another."""
        now = self.clock()
        for name in self._seen.keys() - versions.keys():
            del self._seen[name]
        for name, version in versions.items():
            seen = self._seen.get(name)
            if seen is None or seen.version != version:
                self._seen[name] = _Seen(version, now)
            elif now - seen.since >= MAILBOX_IDLE_SECONDS:
                self._remove(name, version)

    def _remove(self, name: str, version: str) -> None:
        with suppress(ApiError):
            self.client.request("DELETE", f"{COLLECTION}/{name}", {"preconditions": {"resourceVersion": version}})


def _name(mailbox: Mapping[str, Any]) -> str:
    return str(mailbox["metadata"]["name"])


def _is_done(answer: str | None) -> bool:
    with suppress(ValueError, RecursionError):
        found = json.loads(answer or "null")
        return isinstance(found, dict) and bool(found.get("done"))
    return False


def _source(question: str) -> str | None:
    """The source that is asked about ("": all), None for what is no question."""
    if len(question) > MAILBOX_QUESTION_BYTES:
        return None
    with suppress(ValueError, RecursionError):
        found = json.loads(question)
        source = found.get("source") if isinstance(found, dict) else None
        return source if isinstance(source, str) else None
    return None
