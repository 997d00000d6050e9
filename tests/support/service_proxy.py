"""Stands in for kube-proxy: a Service's address on this machine, behind it the endpoints that the cluster calls ready.

A fake because there is no node here. Like the real one it chooses when a connection begins, leaves it alone from then
on, and learns of readiness from EndpointSlices, a moment late. Must not read what passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError
from reconciler.model.own import NAMESPACE

Place = tuple[str, int]
_LOOK_SECONDS: Final = 0.1
_CHUNK: Final = 64 * 1024


@dataclass(eq=False)
class _Connection:
    """One to the replica at `host`. `asked`: something was sent there that was not answered yet."""

    host: str
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    asked: bool = True

    def end(self) -> None:
        self.client.close()
        self.server.close()

    async def pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asked: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                self.asked = asked
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()


@dataclass
class ServiceProxy:
    """`real` says where an address of an endpoint is on this machine. `only`: others get nothing (None: all do)."""

    client: ApiClient
    service: str
    real: Callable[[str], str]
    ready: list[Place] = field(default_factory=list)
    only: str | None = None
    _turn: Iterator[int] = field(default_factory=count)
    _open: set[_Connection] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def hosts(self) -> set[str]:
        """The replicas that the API server is connected to now."""
        return {one.host for one in self._open}

    def choose(self, only: str | None) -> None:
        """Send all to this replica from now on, also what is connected to others; None: to all again.

        Connections end between two requests, as they do where a server closes them.
        """
        self.only = only
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(180)

    async def _cut(self) -> None:
        while others := [one for one in self._open if self.only not in (None, one.host)]:
            for one in others:
                if not one.asked:
                    one.end()
            await asyncio.sleep(0.01)

    async def serve(self, address: str, port: int, started: threading.Event, ended: asyncio.Event) -> None:
        """Until `ended`."""
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, address, port, backlog=2048)
        looking = asyncio.ensure_future(self._follow())
        started.set()
        await ended.wait()
        looking.cancel()
        server.close()
        for one in self._open:
            one.end()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [one for one in self.ready if self.only in (None, one[0])]
        try:
            if not ready:
                return
            host, port = ready[next(self._turn) % len(ready)]
            there = await asyncio.open_connection(host, port)
            one = _Connection(host, writer, there[1])
            self._open.add(one)
            try:
                await asyncio.gather(one.pipe(reader, there[1], asked=True), one.pipe(there[0], writer, asked=False))
            finally:
                self._open.discard(one)
        except OSError:
            pass
        finally:
            writer.close()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(ClusterError):
                self.ready = await asyncio.to_thread(self._endpoints)
            await asyncio.sleep(_LOOK_SECONDS)

    def _endpoints(self) -> list[Place]:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
        chosen = {"labelSelector": f"kubernetes.io/service-name={self.service}"}
        found = []
        for one in self.client.request("GET", path, None, chosen).get("items") or ():
            port = int((one.get("ports") or [{"port": 0}])[0]["port"])
            for endpoint in one.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready"):
                    found += [(self.real(address), port) for address in endpoint["addresses"]]
        return sorted(found)


@contextmanager
def proxying(proxy: ServiceProxy, address: str, port: int) -> Iterator[ServiceProxy]:
    """One that works until the block ends, in a thread of its own."""
    started, loops = threading.Event(), list[asyncio.AbstractEventLoop]()
    ended = asyncio.Event()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await proxy.serve(address, port, started, ended)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(180), f"nothing can listen at {address}:{port}"
    try:
        yield proxy
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join(10)
