"""Holds that waiting writes share looks at Git, and that none is served by a look that began before it came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from webhook.decision.look import CURRENT, Look
from webhook.server.refresh import Refresher, ask_reconciler

T = TypeVar("T")
AHEAD = Look(asked=True, ahead=frozenset({"shop"}))
SILENT = Look(asked=True)


class Looks:
    """Looks at Git that say they have seen news, and end when told to."""

    def __init__(self, *news: Look) -> None:
        self.news = news
        self.asked: list[str] = []
        self.after: list[int] = []
        self.gate = asyncio.Event()

    async def ask(self, source: str) -> AsyncGenerator[Look, None]:
        self.asked.append(source)
        for look in self.news:
            yield look
        await self.gate.wait()
        yield CURRENT

    async def then(self) -> None:
        self.after.append(len(self.asked))


async def settle() -> None:
    for _ in range(9):
        await asyncio.sleep(0)


def test_writes_that_come_before_a_look_begins_share_it() -> None:
    async def run() -> None:
        looks = Looks()
        refresher = Refresher(looks.ask, looks.then)
        first = asyncio.ensure_future(refresher(5))
        await settle()
        later = [asyncio.ensure_future(refresher(5)) for _ in range(20)]
        await settle()
        assert len(looks.asked) == 1
        looks.gate.set()
        assert (await first).answered
        assert all(look.answered for look in await asyncio.gather(*later))
        assert looks.after == [1, 2]

    asyncio.run(run())


def test_a_write_during_a_look_waits_for_the_next_one() -> None:
    async def run() -> None:
        looks = Looks()
        refresher = Refresher(looks.ask, looks.then)
        first = asyncio.ensure_future(refresher(5))
        await settle()
        second = asyncio.ensure_future(refresher(5))
        looks.gate.set()
        looks.gate = asyncio.Event()
        await first
        await settle()
        assert not second.done()
        third = asyncio.ensure_future(refresher(5))
        await settle()
        looks.gate.set()
        assert (await second).answered
        assert (await third).answered
        assert len(looks.asked) == 3

    asyncio.run(run())


def test_a_look_at_one_source_keeps_no_writer_of_another_waiting() -> None:
    async def run() -> None:
        hanging, quick = Looks(), Looks()
        quick.gate.set()

        def ask(source: str) -> AsyncGenerator[Look, None]:
            return (hanging if source == "gone" else quick).ask(source)

        refresher = Refresher(ask, quick.then)
        late = asyncio.ensure_future(refresher(0.1, "gone"))
        await settle()
        assert await refresher(5, "shop") == CURRENT
        assert await late == SILENT
        assert (hanging.asked, quick.asked) == (["gone"], ["shop"])

    asyncio.run(run())


def test_a_write_that_runs_out_of_time_does_not_end_the_look_of_others() -> None:
    async def run() -> None:
        looks = Looks()
        refresher = Refresher(looks.ask, looks.then)
        patient = asyncio.ensure_future(refresher(5))
        await settle()
        assert not (await refresher(0.01)).answered
        looks.gate.set()
        assert (await patient).answered

    asyncio.run(run())


def test_a_look_that_is_not_over_in_time_says_what_it_has_seen() -> None:
    async def run() -> list[Look]:
        looks = Looks(AHEAD)
        refresher = Refresher(looks.ask, looks.then)
        return [await refresher(0.05, "shop"), await refresher(0.05, "shop")]

    # The second waits for its turn behind the first.
    assert asyncio.run(run()) == [AHEAD, AHEAD]


def test_a_write_that_waits_for_its_turn_does_not_take_the_answer_of_the_look_before_for_its_own() -> None:
    async def run() -> Look:
        looks = Looks(CURRENT)
        refresher = Refresher(looks.ask, looks.then)
        assert await refresher(0.05, "shop") == CURRENT
        return await refresher(0.05, "shop")

    assert asyncio.run(run()) == SILENT


def test_news_count_only_when_the_snapshot_was_looked_at_after_them() -> None:
    async def run() -> Look:
        looks = Looks(AHEAD)

        async def never() -> None:
            await asyncio.sleep(60)

        return await Refresher(looks.ask, never)(0.05, "shop")

    assert asyncio.run(run()) == SILENT


def test_without_time_left_nothing_is_awaited() -> None:
    async def run() -> Look:
        looks = Looks()
        return await asyncio.wait_for(Refresher(looks.ask, looks.then)(-1), 0.1)

    assert asyncio.run(run()) == SILENT


def test_a_look_that_breaks_off_has_seen_nothing_and_the_next_is_tried_again() -> None:
    async def run() -> None:
        calls = 0

        async def ask(source: str) -> AsyncGenerator[Look, None]:
            nonlocal calls
            calls += 1
            yield AHEAD
            if calls == 1:
                raise ConnectionResetError
            yield CURRENT

        refresher = Refresher(ask, Looks().then)
        assert await refresher(1) == SILENT
        assert await refresher(1) == CURRENT

    asyncio.run(run())


async def answered(directory: Path, answer: bytes, work: Callable[[Path], Awaitable[T]]) -> tuple[bytes, T]:
    """What `work` makes of a reconciler that answers so, and what that was asked."""
    heard = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard = await reader.readline()
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, directory / "s"):
        made = await work(directory / "s")
    return heard, made


async def listened(socket: Path) -> list[Look]:
    return [look async for look in ask_reconciler(socket, "shop")]


def test_the_reconciler_is_asked_with_one_line_and_tells_news_in_lines(tmp_path: Path) -> None:
    lines = b'{"ahead":["shop"],"failed":{}}\n{"ahead":[],"failed":{"gpu":"why"}}\n{"digest":"abc"}\n'
    asked, looks = asyncio.run(answered(tmp_path, lines, listened))
    assert json.loads(asked) == {"op": "refresh", "source": "shop"}
    assert looks == [AHEAD, Look(asked=True, failed={"gpu": "why"}), CURRENT]


@pytest.mark.parametrize(
    "answer",
    [b"", b'{"dig', b'{"ahead":["shop"]}\n', b"[]\n", b"\xff\n", b'{"ahead":3}\n', b'{"digest":"a"}\n{"dig'],
)  # fmt: skip
def test_an_answer_without_its_end_is_an_error(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(ValueError, match="cut answer"):
        asyncio.run(answered(tmp_path, answer, listened))
