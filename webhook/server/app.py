"""Owns the bare ASGI callable of the admission server: routes, statuses, draining. Must not decide anything.

Bare, because a web framework costs more than the decision; see docs/decisions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from reconciler.errors import ReviewError
from reconciler.limits import REFRESH_MARGIN_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from webhook.server.http import (
    BodyBudget,
    ClientGoneError,
    OverloadedError,
    Receive,
    Reply,
    Scope,
    Send,
    check_json,
    problem,
    read_body,
    send_reply,
    text,
    unavailable,
)
from webhook.server.judge import Endpoint, Judge, NoSnapshotError

_LOG = logging.getLogger("setscrew.admission")
_NO_SNAPSHOT = "no snapshot yet"


class AdmissionApp:
    """ASGI 3. `background` holds what runs beside the requests while the worker lives; `last` is called at its end."""

    def __init__(
        self,
        judge: Judge,
        background: tuple[Callable[[], Awaitable[object]], ...] = (),
        last: Callable[[], object] = lambda: None,
    ) -> None:
        self._judge = judge
        self._background = background
        self._last = last
        self._budget = BodyBudget()
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "http":
            with contextlib.suppress(ClientGoneError):
                await send_reply(send, await self._answer(scope, receive))
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    def drain(self) -> None:
        """From now on: not ready, and each answer ends its connection."""
        self.draining = True

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        tasks = [asyncio.ensure_future(work()) for work in self._background]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        self._last()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        path = scope["path"]
        if path in {"/healthz", "/readyz"}:
            return _only(scope, ("GET", "HEAD")) or (text(200, b"ok") if path == "/healthz" else self._readiness())
        known, endpoint = parse_path(path)
        if not known:
            return problem(404, "there is no such path")
        reply = _only(scope, ("POST",)) or await self._validate(scope, receive, endpoint)
        return reply if not self.draining else _closing(reply)

    def _readiness(self) -> Reply:
        ready = self._judge.feed.current() is not None and not self.draining
        return text(200, b"ok") if ready else text(503, b"not ready")

    async def _validate(self, scope: Scope, receive: Receive, endpoint: Endpoint | None) -> Reply:
        deadline = asyncio.get_running_loop().time() + budget_seconds(scope["query_string"])
        try:
            check_json(scope)
            if self._judge.feed.current() is None:
                return unavailable(_NO_SNAPSHOT)
            with self._budget.share() as share:
                async with asyncio.timeout_at(deadline):
                    body = await read_body(scope, receive, share)
                return Reply(200, await self._judge.review(body, endpoint, deadline))
        except ReviewError as error:
            return problem(error.status, error.message, code=error.code, close=error.status in {413, 415})
        except NoSnapshotError:
            return unavailable(_NO_SNAPSHOT)
        except OverloadedError as error:
            return self._unread(error.head)
        except TimeoutError:
            _LOG.warning("a review was not judged in time")
            return unavailable("not judged in time")

    def _unread(self, head: bytes) -> Reply:
        """A refusal, since a status would admit under `Ignore` what anyone can bring about with a few big dry-runs."""
        try:
            return Reply(200, self._judge.unread(head))
        except ReviewError:
            return unavailable("too many large reviews at a time")


def parse_path(path: str) -> tuple[bool, Endpoint | None]:
    """Whether `path` takes reviews, and what it names: `/validate`, or `/validate/<group>/<version>` (`core`: "")."""
    parts = path.split("/")
    if parts == ["", "validate"]:
        return True, None
    if len(parts) != 4 or parts[:2] != ["", "validate"] or not (parts[2] and parts[3]):
        return False, None
    return True, Endpoint("" if parts[2] == "core" else parts[2], parts[3])


def budget_seconds(query: bytes) -> float:
    """Seconds from arrival to answer: the API server's `?timeout=3s`, at most ours, less the margin of the way back."""
    given = parse_qs(query[:256].decode("latin-1")).get("timeout", [""])[0].removesuffix("s")
    whole = int(given) if given.isascii() and given.isdigit() and len(given) <= 4 else WEBHOOK_TIMEOUT_SECONDS
    return min(whole or WEBHOOK_TIMEOUT_SECONDS, WEBHOOK_TIMEOUT_SECONDS) - REFRESH_MARGIN_SECONDS


def _only(scope: Scope, methods: tuple[str, ...]) -> Reply | None:
    if scope["method"] in methods:
        return None
    return problem(405, "this path has other methods", headers=((b"allow", ", ".join(methods).encode()),))


def _closing(reply: Reply) -> Reply:
    return Reply(reply.status, reply.body, reply.content_type, reply.headers, close=True)
