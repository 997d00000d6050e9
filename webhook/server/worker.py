"""Owns the serving loop of one worker: gunicorn's ASGI worker with time limits for silent clients and a clean drain.

Must not know routes or reviews. What it changes: a connection that is silent from its start ends after a few seconds,
SIGTERM is seen at once, connections kept alive by the API server do not hold up the end, and the certificate changes
without a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Any

from gunicorn.arbiter import Arbiter
from gunicorn.asgi.lifespan import LifespanManager
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from reconciler.limits import ADMISSION_CONNECTIONS, HANDSHAKE_SECONDS, HEADER_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from webhook.server.certificate import ServingCertificate
from webhook.server.main import settings_of_process

_HEARTBEAT_SECONDS = 1.0
_GOODBYE_SECONDS = 0.5


class AdmissionProtocol(ASGIProtocol):  # type: ignore[misc] # gunicorn is not typed
    """One connection, known to its worker."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Refuse what is too much; give the rest a few seconds for their first request."""
        super().connection_made(transport)
        self.worker.connections.add(self)
        self._first_request = self.worker.loop.call_later(HEADER_SECONDS, self.end_if_idle)
        if len(self.worker.connections) > ADMISSION_CONNECTIONS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.worker.connections.discard(self)
        self._first_request.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, possibly not all of its head."""
        super().data_received(data)
        if self.req_count > 1 or self._current_request is not None:
            self._first_request.cancel()

    def end_if_idle(self) -> None:
        """Close unless a request is being answered."""
        if self._current_request is None:
            self._keepalive_timeout()


class AdmissionWorker(ASGIWorker):  # type: ignore[misc] # gunicorn is not typed
    """See the module. The application has a method `drain()`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections: set[AdmissionProtocol] = set()
        self._stop: asyncio.Event

    def init_process(self) -> None:
        """After the fork: let go of the master's signal handlers first, they would swallow an early SIGTERM."""
        self.init_signals()
        super().init_process()

    def init_signals(self) -> None:
        """Until the loop runs a signal just ends the process: uvloop loses what comes before."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def handle_exit_signal(self) -> None:
        """SIGTERM: begin to drain now, not at the next heartbeat."""
        super().handle_exit_signal()
        self.asgi.drain()
        self._stop.set()

    def handle_quit_signal(self) -> None:
        """SIGINT, SIGQUIT: end now."""
        super().handle_quit_signal()
        self._stop.set()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        super().init_signals()
        settings = settings_of_process()
        serving = ServingCertificate(settings.certificate, settings.key, settings.tls_minimum)
        life = LifespanManager(self.asgi, self.log, self.state)
        try:
            await life.startup()
        except RuntimeError as error:
            self.log.error("the application did not start: %s", error)  # noqa: TRY400 - the cause is logged where it arose
            raise SystemExit(Arbiter.WORKER_BOOT_ERROR) from None
        servers = [await self._listen(listener, serving.context) for listener in self.sockets]
        while self.alive and self.ppid == os.getppid():
            self.notify()
            serving.reload_if_changed()
            await self._pause(_HEARTBEAT_SECONDS)
        await self._drain(servers, 0.0 if self._quick_shutdown else settings.drain_seconds)
        await life.shutdown()

    async def _listen(self, listener: Any, context: Any) -> asyncio.Server:
        return await self.loop.create_server(  # type: ignore[no-any-return] # as above
            lambda: AdmissionProtocol(self),
            sock=listener.sock,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            # A peer that does not answer our goodbye would otherwise hold its connection, and the end, for 30 s.
            ssl_shutdown_timeout=_GOODBYE_SECONDS,
        )

    async def _drain(self, servers: list[asyncio.Server], seconds: float) -> None:
        """Serve on for `seconds`, each answer ending its connection; then end the idle ones and wait for the rest."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self.connections and loop.time() < end and not self._quick_shutdown:
            self.notify()
            await asyncio.sleep(0.05)
        for server in servers:
            server.close()
        end = loop.time() + (0.2 if self._quick_shutdown else WEBHOOK_TIMEOUT_SECONDS)
        while self.connections and loop.time() < end:
            self.notify()
            for connection in tuple(self.connections):
                connection.end_if_idle()
            await asyncio.sleep(0.05)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
