"""Owns the way from a thread to the application: its loop runs in a thread of its own. Must not know sockets.

So the fall-back worker judges by the very same code: routes, statuses, limits, time, refreshes and records.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from reconciler.limits import WEBHOOK_TIMEOUT_SECONDS
from webhook.server.app import AdmissionApp
from webhook.server.connection import Connection
from webhook.server.gathering import Gathering
from webhook.server.http import Head, Reply, unavailable

_Result = TypeVar("_Result")


class Bridge:
    """The loop of one worker."""

    def __init__(self, app: AdmissionApp) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="judge", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._loop.call_soon_threadsafe(self._app.start)

    def stop(self) -> None:
        """End what runs beside the requests, and the loop."""
        self._loop.call_soon_threadsafe(self._app.stop)
        # What was cancelled ends in the turn after that one.
        self._loop.call_soon_threadsafe(self._loop.call_soon, self._loop.stop)
        self._thread.join(WEBHOOK_TIMEOUT_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def answer(self, head: Head, body: bytes, *, dropped: bool = False) -> Reply:
        """The reply to one request, `body` whole; or `dropped`, and `body` is what was kept of it."""
        try:
            # The application keeps to its own time; this is for a loop that does not turn.
            return self._call(self._answer(head, body, dropped)).result(2 * WEBHOOK_TIMEOUT_SECONDS)
        except TimeoutError:
            return unavailable("not judged in time")

    def shed(self) -> None:
        """Count a review that was sent away before it came here."""
        self._loop.call_soon_threadsafe(self._app.shed)

    async def _answer(self, head: Head, body: bytes, dropped: bool) -> Reply:
        refusal = self._app.refuse(head)
        if refusal is not None:
            return refusal
        with self._app.budget.share():
            reply = self._app.unread(body) if dropped else self._app.answer(head, body)
            return reply if isinstance(reply, Reply) else await reply

    def _call(self, work: Coroutine[Any, Any, _Result]) -> Future[_Result]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


def head_of(request: Any, connection: Connection) -> Head:
    """What the application knows of a request that gunicorn's parser has read."""
    fields = {name.lower(): value for name, value in reversed(request.headers)}
    declared = fields.get("content-length", "")
    # In chunks it declares no length, and is not read as far as the limit.
    length = max(connection.gathering.body, int(declared) if declared.isdigit() else 0)
    content_type = fields.get("content-type", "")
    return Head(request.method, request.uri, content_type, length, connection.refusal, connection.arrived)


def read_body(request: Any, gathering: Gathering) -> bytes:
    """The body, all of which has come; what was kept of it; or nothing of one that nobody reads."""
    if gathering.dropped:
        return bytes(gathering.data[gathering.head :])
    return b"" if gathering.too_big else bytes(request.body.read())
