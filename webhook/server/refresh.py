"""Owns the question "look at Git now" to the reconciler's socket. Must not know why a review needs it.

One look at a source serves all who wait for it, but only those who asked before it began: a look that was already under
way may have read Git before the push that a writer acts on. So at most two are in hand, one running and one queued.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from reconciler.limits import LOOK_LINE_BYTES, WEBHOOK_TIMEOUT_SECONDS
from webhook.decision.look import Look

_LOG: Final = logging.getLogger("setscrew.admission")
_SILENT: Final = Look(asked=True)


class _News(msgspec.Struct):
    """One line of the reconciler: all that it knows so far. With a digest nothing more is expected but server forms."""

    ahead: frozenset[str] = frozenset()
    failed: dict[str, str] = {}
    digest: str | None = None


_NEWS: Final = msgspec.json.Decoder(_News)


@dataclass(slots=True, eq=False)
class _Looking:
    """One look: what has been heard of it so far, and the task that listens."""

    heard: Look = _SILENT
    task: asyncio.Task[None] = field(init=False)


class Refresher:
    """Shares looks at Git among the waiting writes of one worker.

    `ask` asks about a source ("": all) and gives what is known so far, again and again; `then` runs before that counts.
    """

    def __init__(self, ask: Callable[[str], AsyncGenerator[Look, None]], then: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._then = then
        self._running: dict[str, _Looking] = {}
        self._queued: dict[str, _Looking] = {}

    async def __call__(self, seconds: float, source: str = "") -> Look:
        """What a look at a source ("": all) that began after this call has seen within `seconds`."""
        looking = self._next(source)
        if seconds <= 0:
            return _SILENT
        try:
            await asyncio.wait_for(asyncio.shield(looking.task), seconds)
        except TimeoutError:
            # What waits for its turn behind a slow look knows what that one has seen; but it is not the newest.
            running = self._running.get(source, looking)
            heard = looking.heard if running is looking else replace(running.heard, answered=False)
            _LOG.warning("refresh: the time was over%s", " while the reconciler read Git" if heard.ahead else "")
            return heard
        except (OSError, ValueError) as error:
            _LOG.warning("refresh: the reconciler gave no answer: %s", type(error).__name__)
            return _SILENT
        return looking.heard

    def _next(self, source: str) -> _Looking:
        running = self._running.get(source)
        if running is None or running.task.done():
            looking = self._running[source] = _Looking()
            looking.task = _started(self._look(source, looking))
            return looking
        if source not in self._queued:
            looking = self._queued[source] = _Looking()
            looking.task = _started(self._after(source, running, looking))
        return self._queued[source]

    async def _look(self, source: str, looking: _Looking) -> None:
        async with asyncio.timeout(WEBHOOK_TIMEOUT_SECONDS):
            async with contextlib.aclosing(self._ask(source)) as news:
                async for heard in news:
                    await self._then()
                    looking.heard = heard

    async def _after(self, source: str, earlier: _Looking, looking: _Looking) -> None:
        await asyncio.wait([earlier.task])
        self._running[source] = self._queued.pop(source)
        await self._look(source, looking)


def _started(work: Awaitable[None]) -> asyncio.Task[None]:
    task = asyncio.ensure_future(work)
    assert isinstance(task, asyncio.Task)  # noqa: S101 - a coroutine always becomes a task
    # Nobody may be left to hear of a failure: every waiter may have run out of time.
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


async def ask_reconciler(socket: Path, source: str = "") -> AsyncGenerator[Look, None]:
    """Ask over the reconciler's Unix socket, one line of JSON; what it knows so far with each line that it answers.

    Raises OSError, or ValueError for an answer that is cut or no answer at all.
    """
    reader, writer = await asyncio.open_unix_connection(socket, limit=LOOK_LINE_BYTES)
    answered = False
    try:
        writer.write(msgspec.json.encode({"op": "refresh", "source": source}) + b"\n")
        await writer.drain()
        while line := await reader.readline():
            news = _read(line)
            answered = news.digest is not None
            yield Look(asked=True, answered=answered, ahead=news.ahead, failed=news.failed)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if not answered:
        raise ValueError("cut answer")


def _read(line: bytes) -> _News:
    try:
        return _NEWS.decode(line)
    except msgspec.MsgspecError:
        raise ValueError("cut answer") from None
