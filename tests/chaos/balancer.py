"""Owns the stand-in for a Service: connections go to replicas that say they are ready. Must not read what passes.

There is no kube-proxy without nodes. Like one, it chooses when a connection begins and leaves it alone from then on,
and it learns of readiness by asking, a moment late.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Final

HOST: Final = "127.0.0.1"
_PROBE_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 3.0
_CHUNK: Final = 64 * 1024


@dataclass(slots=True)
class Balancer:
    """`port` is where the API server calls; `backends` are ports of replicas, `ready` those that get connections."""

    backends: tuple[int, ...]
    port: int = 0
    ready: set[int] = field(default_factory=set)
    _turn: Iterator[int] = field(default_factory=count)

    async def serve(self, started: threading.Event, ended: asyncio.Event) -> None:
        """Until `ended`."""
        server = await asyncio.start_server(self._connected, HOST, 0, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        probes = [asyncio.ensure_future(self._probe(port)) for port in self.backends]
        started.set()
        await ended.wait()
        for probe in probes:
            probe.cancel()
        await asyncio.gather(*probes, return_exceptions=True)
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = sorted(self.ready)
        try:
            if not ready:
                return
            there = await asyncio.open_connection(HOST, ready[next(self._turn) % len(ready)])
            await asyncio.gather(_pipe(reader, there[1]), _pipe(there[0], writer))
        except OSError:
            pass
        finally:
            writer.close()

    async def _probe(self, port: int) -> None:
        while True:
            answered = False
            with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
                answered = await asyncio.wait_for(_is_ready(port), _PATIENCE_SECONDS)
            (self.ready.add if answered else self.ready.discard)(port)
            await asyncio.sleep(_PROBE_SECONDS)


@cache
def trusting() -> ssl.SSLContext:
    """Whoever routes does not look at certificates."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _is_ready(port: int) -> bool:
    reader, writer = await asyncio.open_connection(HOST, port, ssl=trusting())
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")
        return b" 200 " in await reader.readline()
    finally:
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


@contextmanager
def balancing(*backends: int) -> Iterator[Balancer]:
    """A balancer in a thread of its own."""
    balancer, started, loops = Balancer(backends), threading.Event(), list[asyncio.AbstractEventLoop]()
    ended = asyncio.Event()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await balancer.serve(started, ended)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield balancer
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join(10)
