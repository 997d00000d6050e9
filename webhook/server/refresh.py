"""Owns the question "look at Git now" to the reconciler's socket. Must not know why a review needs it.

One look serves all who wait, but only those who asked before it began: a look that was already under way may have
read Git before the push that a writer acts on. So at most two are in hand, one running and one queued.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from reconciler.limits import KIB, WEBHOOK_TIMEOUT_SECONDS
from webhook.decision.look import CURRENT, Look

_LOG = logging.getLogger("setscrew.admission")
_QUESTION = b'{"op":"refresh"}\n'
_ANSWER_BYTES = 64 * KIB


class Refresher:
    """Shares looks at Git among the waiting writes of one worker. `ask` performs one look; `then` runs after it."""

    def __init__(self, ask: Callable[[], Awaitable[None]], then: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._then = then
        self._running: asyncio.Task[None] | None = None
        self._queued: asyncio.Task[None] | None = None

    async def __call__(self, seconds: float) -> Look:
        """What a look that began after this call has seen within `seconds`."""
        look = self._next()
        if seconds <= 0:
            return Look(asked=True)
        try:
            await asyncio.wait_for(asyncio.shield(look), seconds)
        except (OSError, TimeoutError, ValueError) as error:
            _LOG.warning("refresh: the reconciler gave no answer: %s", type(error).__name__)
            return Look(asked=True)
        return CURRENT

    def _next(self) -> asyncio.Task[None]:
        if self._running is None or self._running.done():
            self._running = _started(self._look())
            return self._running
        if self._queued is None:
            self._queued = _started(self._after(self._running))
        return self._queued

    async def _look(self) -> None:
        async with asyncio.timeout(WEBHOOK_TIMEOUT_SECONDS):
            await self._ask()
        await self._then()

    async def _after(self, earlier: asyncio.Task[None]) -> None:
        await asyncio.wait([earlier])
        self._running, self._queued = self._queued, None
        await self._look()


def _started(work: Awaitable[None]) -> asyncio.Task[None]:
    task = asyncio.ensure_future(work)
    assert isinstance(task, asyncio.Task)  # noqa: S101 - a coroutine always becomes a task
    # Nobody may be left to hear of a failure: every waiter may have run out of time.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


async def ask_reconciler(socket: Path) -> None:
    """One line of JSON each way over the reconciler's Unix socket. Raises OSError, or ValueError on a cut answer."""
    reader, writer = await asyncio.open_unix_connection(socket, limit=_ANSWER_BYTES)
    try:
        writer.write(_QUESTION)
        await writer.drain()
        answer = await reader.readline()
        if not answer.endswith(b"\n"):
            raise ValueError("cut answer")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
