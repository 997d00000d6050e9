"""Owns the writes of a chaos run: at a given rate, half of them forbidden, with their answers. Must not judge them."""

from __future__ import annotations

import base64
import http.client
import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import yaml

from tests.chaos.world import FREE, GUARDED, NAMESPACE

Meant = Literal["allowed", "forbidden"]
WRITERS: Final = 16
_MERGE: Final = "application/merge-patch+json"


class Write(NamedTuple):
    """One write and its answer. `at` is time.time() of its end, `status` 0 where the API server did not answer."""

    at: float
    meant: Meant
    what: str
    status: int
    message: str
    audit_id: str


class _Wish(NamedTuple):
    meant: Meant
    what: str
    method: str
    path: str
    body: dict[str, Any] | None


@dataclass(slots=True)
class Traffic:
    """Writes as one person with rights on everything. `writes` grows; read it when the traffic has ended."""

    kubeconfig: Path
    rate: float
    seed: int
    writes: list[Write] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """In several threads, while the block runs."""
        connect = _connector(self.kubeconfig)
        began = time.monotonic()
        threads = [threading.Thread(target=self._keep, args=(connect, began), daemon=True) for _ in range(WRITERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join(60)

    def _keep(self, connect: Callable[[], http.client.HTTPSConnection], began: float) -> None:
        connection = connect()
        while not self._ended.is_set():
            number = next(self._numbers)
            # Late ones go at once, but what could not be written in time is not made up for later.
            if (ahead := began + number / self.rate - time.monotonic()) > 0 and self._ended.wait(ahead):
                break
            wish = _wish(number, random.Random(self.seed * 1_000_003 + number))  # noqa: S311 - a repeatable run
            try:
                self.writes.append(_asked(connection, wish))
            except (OSError, http.client.HTTPException) as error:
                self.writes.append(Write(time.time(), wish.meant, wish.what, 0, type(error).__name__, ""))
                connection.close()
                connection = connect()
        connection.close()


def _wish(number: int, chance: random.Random) -> _Wish:
    name, free = chance.choice(GUARDED), chance.choice(FREE)
    maps = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    text = str(number)
    choices = (
        _Wish("allowed", "an annotation", "PATCH", f"{maps}/{name}", {"metadata": {"annotations": {"note": text}}}),
        _Wish("allowed", "an unguarded object", "PATCH", f"{maps}/{free}", {"data": {"any": text}}),
        _Wish("allowed", "what Git says", "PATCH", f"{maps}/{name}", {"data": {"mode": "production"}}),
        _Wish("forbidden", "another value", "PATCH", f"{maps}/{name}", {"data": {"mode": text}}),
        _Wish("forbidden", "an addition", "PATCH", f"{maps}/{name}", {"data": {f"extra-{text}": text}}),
        _Wish("forbidden", "a steering key", "PATCH", f"{maps}/{name}", _annotated("setscrew.dev/mine", text)),
    )
    return choices[number % len(choices)]


def _annotated(key: str, value: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {key: value}}}


def _asked(connection: http.client.HTTPSConnection, wish: _Wish) -> Write:
    body = None if wish.body is None else json.dumps(wish.body)
    connection.request(wish.method, wish.path, body, {"Content-Type": _MERGE, "Accept": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    message = json.loads(said).get("message", "") if answer.status >= 300 else ""
    return Write(time.time(), wish.meant, wish.what, answer.status, message, answer.headers.get("Audit-Id", ""))


def _connector(kubeconfig: Path) -> Callable[[], http.client.HTTPSConnection]:
    document = yaml.safe_load(kubeconfig.read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    pair = kubeconfig.with_suffix(".pem")
    pair.touch(0o600)
    pair.write_bytes(b"".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")))
    context.load_cert_chain(pair)
    netloc = urlsplit(cluster["server"]).netloc
    return lambda: http.client.HTTPSConnection(netloc, context=context, timeout=60)
