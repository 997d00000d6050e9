"""Owns one connection of a worker: requests answered in their order, each reply in one write, and how long it may wait.

Most reviews are answered before the call that brought their last byte returns. Must not parse, route or decide.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable
from typing import Final, cast

from reconciler.errors import place
from reconciler.limits import ADMISSION_CONNECTIONS, HEADER_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from webhook.server.app import AdmissionApp, target_of
from webhook.server.board import COLUMN
from webhook.server.client import refusal
from webhook.server.http import CONTINUE, Reply, problem, wire
from webhook.server.incoming import Incoming, IncomingRequests

_LOG: Final = logging.getLogger("setscrew.admission")


class AdmissionProtocol(asyncio.Protocol):
    """One connection, in `connections` while it lives. `until`: when `late` is to be called, in the loop's time."""

    def __init__(self, app: AdmissionApp, connections: set[AdmissionProtocol], keepalive: float) -> None:
        self._app, self._connections, self._keepalive = app, connections, keepalive
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._requests: IncomingRequests
        self._answering: asyncio.Task[None] | None = None
        self._full = False
        self._reading = True
        self._closing = False
        self.until = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse what is too much. The rest may wait: Go keeps what it has opened in vain for a later call."""
        self._transport = cast("asyncio.Transport", transport)
        client = refusal(transport.get_extra_info("ssl_object"), self._app.client_names)
        self._requests = IncomingRequests(self._app, client)
        self._connections.add(self)
        self.until = self._loop.time() + self._keepalive
        if len(self._connections) > ADMISSION_CONNECTIONS:
            self._app.seat.row[COLUMN["refused"]] += 1
            self._abort()

    def connection_lost(self, _: Exception | None) -> None:
        """Forget the connection. What is being judged is judged to its end, and recorded."""
        self._connections.discard(self)
        self._closing = True
        self._requests.close()

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        if self._closing:
            return
        self._requests.feed(data, self._loop.time())
        self._go_on()

    def pause_writing(self) -> None:
        """The client does not read its answers: nothing more is taken of it, nor answered."""
        self._full = True

    def resume_writing(self) -> None:
        """It reads again."""
        self._full = False
        self._go_on()

    def idle(self) -> bool:
        """True if no request is being read or answered."""
        return self._answering is None and self._requests.current is None

    def end(self) -> None:
        """Say goodbye, once all that was written is sent."""
        self._closing, self.until = True, math.inf
        self._transport.close()

    def late(self) -> None:
        """What was waited for until `until` has not come."""
        request = self._requests.current
        if self._full:
            self._abort()
        elif request is None:
            self.end()
        else:
            request.keep = False
            self._write(request, request.reply or self._app.late())

    def _go_on(self) -> None:
        """Answer what is ready, as far as it goes without waiting."""
        ready = self._requests.ready
        while ready and not (self._answering or self._full or self._closing):
            self._answer(ready.popleft())
        if self._closing:
            return
        waited_for = self._answering is not None or self._full
        if waited_for is self._reading:
            self._reading = not waited_for
            (self._transport.pause_reading if waited_for else self._transport.resume_reading)()
        current = self._requests.current
        if current is not None and current.waits and not waited_for:
            current.waits = False
            if not current.body.size:
                self._transport.write(CONTINUE)
        self.until = self._patience()

    def _patience(self) -> float:
        requests, now = self._requests, self._loop.time()
        if self._answering is not None:
            # The application keeps to the time of a review.
            return math.inf
        if self._full:
            return now + WEBHOOK_TIMEOUT_SECONDS
        if requests.current is not None:
            return requests.arrived + (target_of(requests.current.head.target).seconds or WEBHOOK_TIMEOUT_SECONDS)
        return requests.arrived + HEADER_SECONDS if requests.begun else now + self._keepalive

    def _answer(self, request: Incoming) -> None:
        if request.reply is not None:
            reply: Reply | Awaitable[Reply] = request.reply
        elif request.body.dropped:
            reply = self._app.unread(request.body.joined())
        else:
            reply = self._app.answer(request.head, request.body.joined())
        if isinstance(reply, Reply):
            self._write(request, reply)
        else:
            self._answering = self._loop.create_task(self._answer_later(request, reply))

    async def _answer_later(self, request: Incoming, answer: Awaitable[Reply]) -> None:
        try:
            reply = await answer
        except Exception as error:  # noqa: BLE001 - the client is not to wait for an answer that never comes
            _LOG.error("a request was not answered: %s", place(error))
            reply = problem(500, "an internal error", close=True)
        self._answering = None
        self._write(request, reply)
        self._go_on()

    def _write(self, request: Incoming, reply: Reply) -> None:
        request.body.share.give_back()
        if self._closing:
            return
        close = reply.close or not request.keep
        self._transport.write(wire(reply, close=close, head_only=request.head.method == "HEAD"))
        if close:
            self.end()

    def _abort(self) -> None:
        self._closing, self.until = True, math.inf
        self._transport.abort()
