"""Holds the memory of the admission processes: what is freed goes back, what workers need is there before the fork."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from webhook.server.threads import Threads

_GOES_BACK = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from webhook.server import memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

def judge(_):
    bodies = []
    for number in range(8):
        bodies.append(b"x" * (3 * 2**20 - number * 1000))
        bodies.append(bytearray(200_000))
        kept.append(bytearray(200_000))

memory.prepare()
before, kept = resident(), []
with ThreadPoolExecutor(4) as pool:
    list(pool.map(judge, range(16)))
print(resident() - before - sum(map(len, kept)) / 2**20)
"""
_LOADED = """
import gc, sys
from webhook.server import memory
from webhook.server import serve, worker

memory.prepare()
known = set(sys.modules)
from webhook.decision.decide import decide
from webhook.decision.review import decode, encode
from webhook.server.feed import Feed
print(sorted(set(sys.modules) - known), gc.get_freeze_count() > 0)
"""


def printed(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and sets glibc's malloc")
def test_what_big_bodies_took_goes_back_though_small_objects_were_made_between_them() -> None:
    assert float(printed(_GOES_BACK)) < 16  # MiB: 96 are held at once, and about as many stay with malloc as it comes


def test_a_forked_worker_loads_nothing_that_it_needs_to_decide() -> None:
    assert printed(_LOADED) == "[] True"


def test_places_have_rested_once_after_each_time_of_work() -> None:
    async def worked() -> list[bool]:
        threads = Threads(2)
        seen = [threads.rested()]
        await threads.acquire()
        await threads.acquire()
        threads.release()
        seen.append(threads.rested())
        threads.release()
        return [*seen, threads.rested(), threads.rested()]

    assert asyncio.run(worked()) == [False, False, True, False]
