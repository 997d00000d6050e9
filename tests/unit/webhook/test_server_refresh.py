"""Holds that waiting writes share looks at Git, and that none is served by a look that began before it came."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from webhook.server.refresh import Refresher, ask_reconciler


class Looks:
    """Looks at Git that end when told to."""

    def __init__(self) -> None:
        self.began = 0
        self.after: list[int] = []
        self.gate = asyncio.Event()

    async def ask(self) -> None:
        self.began += 1
        await self.gate.wait()

    async def then(self) -> None:
        self.after.append(self.began)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_writes_that_come_before_a_look_begins_share_it() -> None:
    async def run() -> None:
        looks = Looks()
        refresher = Refresher(looks.ask, looks.then)
        first = asyncio.ensure_future(refresher(5))
        await settle()
        later = [asyncio.ensure_future(refresher(5)) for _ in range(20)]
        await settle()
        assert looks.began == 1
        looks.gate.set()
        assert (await first).answered
        assert all(look.answered for look in await asyncio.gather(*later))
        assert looks.began == 2
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
        assert looks.began == 3

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


def test_without_time_left_nothing_is_awaited() -> None:
    async def run() -> bool:
        looks = Looks()
        return await asyncio.wait_for(Refresher(looks.ask, looks.then)(-1), 0.1)

    assert not asyncio.run(run()).answered


def test_a_look_that_fails_is_no_refresh_and_the_next_is_tried_again() -> None:
    async def run() -> None:
        calls = 0

        async def ask() -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise FileNotFoundError

        looks = Looks()
        refresher = Refresher(ask, looks.then)
        assert not (await refresher(1)).answered
        assert (await refresher(1)).answered

    asyncio.run(run())


def test_the_reconciler_is_asked_with_one_line_and_answers_with_one(tmp_path: Path) -> None:
    async def run() -> bytes:
        heard = b""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal heard
            heard = await reader.readline()
            writer.write(b'{"digest":"abc"}\n')
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(serve, tmp_path / "s")
        async with server:
            await ask_reconciler(tmp_path / "s")
        return heard

    assert asyncio.run(run()) == b'{"op":"refresh"}\n'


def test_a_cut_answer_is_an_error(tmp_path: Path) -> None:
    async def run() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b'{"dig')
            writer.close()

        server = await asyncio.start_unix_server(serve, tmp_path / "s")
        async with server:
            with pytest.raises(ValueError, match="cut answer"):
                await ask_reconciler(tmp_path / "s")

    asyncio.run(run())
