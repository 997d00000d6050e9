"""Owns the way of decision records from replicas that follow to the one that leads: a Secret of each follower.

A follower writes what the leader has not taken yet, in order; the leader hands it on and notes up to where. What stands
there is proved by the key that all replicas share. Must not know what a record says, nor keep it.
"""

from __future__ import annotations

import gzip
import hmac
import json
import threading
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import msgspec

from reconciler.cluster.api import ApiClient
from reconciler.cluster.secrets import decoded_data, encoded
from reconciler.cluster.watch import beats
from reconciler.errors import ApiError, SetscrewError, StoreError, place
from reconciler.limits import (
    DECISION_BATCH,
    LIST_PAGE_OBJECTS,
    MAILBOX_IDLE_SECONDS,
    MAILBOXES,
    RECORDS_AGAIN_SECONDS,
    RECORDS_BYTES,
    RECORDS_PAUSE_SECONDS,
    RECORDS_SECONDS,
    RECORDS_WAITING,
)
from reconciler.model.own import GROUP, RECORDS
from reconciler.published.secrets import COLLECTION

LABEL: Final = f"{GROUP}/records"
TYPE: Final = f"{GROUP}/records"
TAKEN: Final = f"{GROUP}/taken"
_MERGE: Final = "application/merge-patch+json"
_CONTEXT: Final = b"setscrew records of a replica\n"


class _Head(msgspec.Struct):
    """Whose lines these are, of which run of its process, and the numbers of the first and the last."""

    replica: str
    run: str
    first: int
    last: int


@dataclass(slots=True)
class Sending:
    """What this replica has recorded and the leader has not; `key` is what all replicas share, b"" while nobody knows.

    Where the leader is away for long the oldest are let go: the numbers of their workers show how many.
    """

    client: ApiClient
    replica: str
    key: bytes = b""
    clock: Callable[[], float] = time.monotonic
    _run: str = field(default_factory=lambda: uuid.uuid4().hex)
    _waiting: deque[bytes] = field(default_factory=deque)
    _first: int = 1
    _sent: int = 0
    _sent_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _more: threading.Event = field(default_factory=threading.Event)

    def put(self, lines: Iterable[bytes]) -> None:
        """These were recorded."""
        with self._lock:
            self._waiting.extend(line.strip() for line in lines)
            self._forget(len(self._waiting) - RECORDS_WAITING)
        self._more.set()

    def run(self, step: Callable[[Callable[[], None]], object], stop: threading.Event) -> None:
        """Hand on, by `step`, until `stop`: at once, as whoever puts drift back wants to know whose it was."""
        while not stop.wait(RECORDS_PAUSE_SECONDS):
            self._more.wait(RECORDS_SECONDS)
            self._more.clear()
            step(self.hand_on)

    def hand_on(self) -> None:
        """Write what waits, once what was written before was taken. Raises ClusterError."""
        if self._sent:
            self._hear()
        if self._sent or not self._waiting or not self.key:
            return
        with self._lock:
            lines = _fitting(self._waiting)
            head = _Head(self.replica, self._run, self._first, self._first + len(lines) - 1)
        self._write(_sealed(head, lines, self.key))
        self._sent, self._sent_at = head.last, self.clock()

    def _hear(self) -> None:
        try:
            taken = _taken(self.client.request("GET", _path(self.replica)), self._run)
        except ApiError as error:
            if error.status != 404:
                raise
            self._sent = 0  # somebody removed it: it is written again
            return
        with self._lock:
            self._forget(taken - self._first + 1)
        # Nobody may have led, or somebody may have written over it: then it is written again.
        if taken >= self._sent or self.clock() - self._sent_at >= RECORDS_AGAIN_SECONDS:
            self._sent = 0

    def _forget(self, count: int) -> None:
        for _ in range(min(count, len(self._waiting))):
            self._waiting.popleft()
            self._first += 1

    def _write(self, data: Mapping[str, bytes]) -> None:
        texts = {name: encoded(value) for name, value in data.items()}
        metadata = {"name": RECORDS + self.replica, "labels": {LABEL: "true"}}
        body = {"metadata": metadata, "type": TYPE, "data": texts}
        try:
            self.client.request("PATCH", _path(self.replica), body, content_type=_MERGE)
        except ApiError as error:
            if error.status != 404:
                raise
            self.client.request("POST", COLLECTION, {"apiVersion": "v1", "kind": "Secret", **body})


@dataclass(slots=True)
class Taking:
    """Takes what followers hand on; for the leader. `key` is what all replicas share.

    `keep` stores lines, each with the name of its replica, and never raises.
    """

    client: ApiClient
    key: bytes
    keep: Callable[[list[bytes]], object]
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[str, int]] = field(default_factory=dict)
    _seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Take until `stop`."""
        for _ in beats(self.client, COLLECTION, "", lambda why: self.say(f"records: {why}"), stop.wait, LABEL):
            if stop.is_set():
                return
            self.look()

    def look(self) -> None:
        """Take all that is there now. Never raises."""
        query: dict[str, str | int | bool] = {"labelSelector": LABEL, "limit": LIST_PAGE_OBJECTS}
        found = list[Any]()
        self._tell("", lambda: found.extend(self.client.request("GET", COLLECTION, query=query).get("items") or []))
        for one in found[:MAILBOXES]:
            name = str(one["metadata"]["name"])
            self._tell(name, lambda one=one, name=name: self._take(name, one))  # type: ignore[misc]

    def _tell(self, name: str, act: Callable[[], None]) -> None:
        why = ""
        try:
            act()
        except SetscrewError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - what one replica has written must not keep the others waiting
            why = place(error)
        if why and why != self._told.get(name):
            self.say(f"records of a replica ({name}): {why}" if name else f"records: {why}")
        self._told[name] = why

    def _take(self, name: str, secret: Mapping[str, Any]) -> None:
        head, lines = _opened(decoded_data(dict(secret)), self.key)
        if name != RECORDS + head.replica:
            raise StoreError("they are those of another replica")
        run, last = self._known.get(name, (head.run, _taken(secret, head.run)))
        taken = last if run == head.run else 0
        if head.last > taken:
            left = [_named(line, head.replica) for line in lines[max(0, taken - head.first + 1) :]]
            for start in range(0, len(left), DECISION_BATCH):
                self.keep(left[start : start + DECISION_BATCH])
        self._known[name] = head.run, max(taken, head.last)
        if _taken(secret, head.run) < head.last:
            note = {"metadata": {"annotations": {TAKEN: f"{head.run}/{head.last}"}}}
            self.client.request("PATCH", f"{COLLECTION}/{name}", note, content_type=_MERGE)
            return
        self._tidy(name, str(secret["metadata"]["resourceVersion"]))

    def _tidy(self, name: str, version: str) -> None:
        """Remove what was taken and stands so for long: its replica is gone, or writes another."""
        known, since = self._seen.get(name, ("", 0.0))
        if known != version:
            self._seen[name] = version, self.clock()
        elif self.clock() - since >= MAILBOX_IDLE_SECONDS:
            del self._seen[name]
            with suppress(ApiError):
                self.client.request("DELETE", f"{COLLECTION}/{name}", {"preconditions": {"resourceVersion": version}})


def _path(replica: str) -> str:
    return f"{COLLECTION}/{RECORDS}{replica}"


def _taken(secret: Mapping[str, Any], run: str) -> int:
    """Up to which number the leader has taken the lines of this run."""
    noted = str((secret["metadata"].get("annotations") or {}).get(TAKEN, ""))
    of, _, number = noted.partition("/")
    return int(number) if of == run and number.isascii() and number.isdigit() else 0


def _fitting(lines: Iterable[bytes]) -> list[bytes]:
    """The first of them, as far as they have room; one at least."""
    found, size = list[bytes](), 0
    for line in islice(lines, DECISION_BATCH):
        size += len(line) + 1
        if found and size > RECORDS_BYTES:
            break
        found.append(line)
    return found


def _sealed(head: _Head, lines: Sequence[bytes], key: bytes) -> dict[str, bytes]:
    data = {"head": msgspec.json.encode(head), "lines": gzip.compress(b"\n".join(lines), mtime=0)}
    return {**data, "mac": _mac(data, key)}


def _opened(data: Mapping[str, bytes], key: bytes) -> tuple[_Head, list[bytes]]:
    """Raises StoreError for what no replica of this installation has written."""
    if not hmac.compare_digest(_mac(data, key), data.get("mac", b"")):
        raise StoreError("they do not bear the mark of a replica of this installation")
    try:
        head = msgspec.json.decode(data["head"], type=_Head)
        unpacking = zlib.decompressobj(wbits=31)
        text = unpacking.decompress(data["lines"], 2 * RECORDS_BYTES)
    except (msgspec.MsgspecError, zlib.error, LookupError):
        raise StoreError("they cannot be read") from None
    lines = text.split(b"\n")
    if unpacking.unconsumed_tail or len(lines) != head.last - head.first + 1:
        raise StoreError("they are not as many as their head says")
    return head, lines


def _mac(data: Mapping[str, bytes], key: bytes) -> bytes:
    return hmac.digest(key, _CONTEXT + data.get("head", b"") + b"\n" + data.get("lines", b""), "sha256")


def _named(line: bytes, replica: str) -> bytes:
    """The record with the name of its replica; what is no record stays as it is, and is refused by whoever keeps it."""
    with suppress(ValueError, RecursionError):
        found = json.loads(line)
        if isinstance(found, dict):
            return json.dumps({**found, "replica": replica}).encode()
    return line
