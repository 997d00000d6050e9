"""Owns the serving loop of one worker: gunicorn's asyncio worker with a protocol of our own and a clean drain.

Must not know routes or reviews. gunicorn starts, watches and ends it; its HTTP and its ASGI are not used. A client
that is silent in the middle of a handshake or a request is let go after a few seconds, SIGTERM is seen at once,
connections kept alive by the API server do not hold up the end, and the certificate changes without a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from reconciler.limits import HANDSHAKE_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from webhook.server.board import COLUMN, Row
from webhook.server.boot import EndsWhileBooting
from webhook.server.certificate import ServingCertificate
from webhook.server.main import settings_of_process
from webhook.server.protocol import AdmissionProtocol

_HEARTBEAT_SECONDS = 1.0
_GOODBYE_SECONDS = 0.5
# How exactly the time of silent clients is kept: one look at all connections costs less than a timer for each request.
_LOOK_SECONDS = 0.1


class AdmissionWorker(EndsWhileBooting, ASGIWorker):  # type: ignore[misc] # gunicorn is not typed
    """See the module. gunicorn calls the application `asgi`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections: set[AdmissionProtocol] = set()
        self.row: Row
        self._stop: asyncio.Event

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
        self.serve_signals()
        self.row = self.asgi.seat.row
        settings = settings_of_process()
        serving = ServingCertificate.of(settings)
        self.asgi.certificate = serving
        self.asgi.start()
        self._look()
        servers = [await self._listen(listener, serving.context) for listener in self.sockets]
        while self.alive and self.ppid == os.getppid():
            self.notify()
            serving.reload_if_changed()
            self.row[COLUMN["connections"]] = len(self.connections)
            self.row[COLUMN["certificate_end"]] = serving.not_after
            await self._pause(_HEARTBEAT_SECONDS)
        await self._drain(servers, 0.0 if self._quick_shutdown else settings.drain_seconds)
        self.asgi.stop()

    def _look(self) -> None:
        now = self.loop.time()
        for connection in [one for one in self.connections if one.until <= now]:
            connection.late()
        self.loop.call_later(_LOOK_SECONDS, self._look)

    async def _listen(self, listener: Any, context: Any) -> asyncio.Server:
        return await self.loop.create_server(  # type: ignore[no-any-return] # as above
            lambda: AdmissionProtocol(self.asgi, self.connections, self.cfg.keepalive),
            sock=listener.sock,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            # A peer that does not answer our goodbye would otherwise hold its connection, and the end, for 30 s.
            ssl_shutdown_timeout=_GOODBYE_SECONDS,
        )

    async def _drain(self, servers: list[asyncio.Server], seconds: float) -> None:
        """Serve on for `seconds`, each answer ending its connection; then end the idle ones and wait for the rest.

        New connections are taken all that time: whoever sends them here learns only then that we are not ready.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end and not self._quick_shutdown:
            self.notify()
            await asyncio.sleep(0.05)
        for server in servers:
            server.close()
        end = loop.time() + (0.2 if self._quick_shutdown else WEBHOOK_TIMEOUT_SECONDS)
        while self.connections and loop.time() < end:
            self.notify()
            for connection in tuple(self.connections):
                if connection.idle():
                    connection.end()
            await asyncio.sleep(0.05)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
