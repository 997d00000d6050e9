"""Owns the fall-back worker: gunicorn's threads and parser, with time limits for silent clients and a clean drain.

Must not know routes or reviews. gunicorn's own class gives a thread to each connection that is silent, before and
within a request; here a thread gets only whole requests: handshakes and reading are done by the poller meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import ssl
import time
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from gunicorn.http.errors import NoMoreData
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import ThreadWorker

from reconciler.limits import ADMISSION_CONNECTIONS, ADMISSION_THREADS, HANDSHAKE_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from webhook.server.board import COLUMN, Row
from webhook.server.body import BodyBudget
from webhook.server.boot import EndsWhileBooting
from webhook.server.bridge import Bridge, head_of, read_body
from webhook.server.certificate import ServingCertificate
from webhook.server.connection import Connection
from webhook.server.gathering import Gathering, HeadTooLongError
from webhook.server.http import unavailable, wire
from webhook.server.main import settings_of_process

_BEAT_SECONDS: Final = 1.0
_DRAIN_BEAT_SECONDS: Final = 0.1
_GOODBYE_SECONDS: Final = 1.0


class ThreadedWorker(EndsWhileBooting, ThreadWorker):  # type: ignore[misc] # gunicorn is not typed
    """See the module. All but `_handle` runs in the poller's thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[Connection] = set()
        self._budget = BodyBudget()
        self._busy = 0
        self._next_beat = 0.0
        self._row: Row
        self._serving: ServingCertificate
        self._bridge: Bridge

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: begin to drain."""
        self.wsgi.drain()
        super().handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until a signal ends it."""
        settings = settings_of_process()
        self._serving = self.wsgi.certificate = ServingCertificate.of(settings)
        self._row = self.wsgi.seat.row
        self._bridge = Bridge(self.wsgi)
        self._bridge.start()
        self.serve_signals()
        self.poller.register(self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks)
        while self.alive and self.ppid == os.getppid():
            self._turn(_BEAT_SECONDS)
        self._drain(settings.drain_seconds)
        self._bridge.stop()
        self.tpool.shutdown(wait=False)

    def accept(self, listener: Any) -> None:
        """Take a connection, and no thread for it."""
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            raw, client = listener.accept()
            raw.setblocking(False)
            try:
                sock = self._serving.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
            except (OSError, ValueError):
                raw.close()
                return
            self.nr_conns += 1
            until = time.monotonic() + HANDSHAKE_SECONDS
            names = self.wsgi.client_names
            self._wait(Connection(sock, client, Gathering(self._budget.share()), until, names))

    def _turn(self, seconds: float) -> None:
        """Wait so long for what comes, and act by it."""
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + _BEAT_SECONDS
            self._beat()
        # While the loop stands still, another worker takes who comes.
        self.set_accept_enabled(self.nr_conns < ADMISSION_CONNECTIONS and self._silence() < _BEAT_SECONDS)
        self.wait_for_and_dispatch_events(seconds)
        now = time.monotonic()
        for connection in [one for one in self._waiting if one.until <= now]:
            self._close(connection)

    def _beat(self) -> None:
        # A poller over a loop that stands still serves nobody: the master ends a worker that is silent.
        if self._silence() < WEBHOOK_TIMEOUT_SECONDS:
            self.notify()
        self._serving.reload_if_changed()
        self._row[COLUMN["connections"]] = self.nr_conns
        self._row[COLUMN["certificate_end"]] = self._serving.not_after

    def _silence(self) -> float:
        """Seconds since the loop that judges has turned."""
        return time.monotonic() - self._row[COLUMN["beat"]]

    def _drain(self, seconds: float) -> None:
        """Serve on for `seconds`, each answer ending its connection; then end the idle ones and wait for the rest."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._turn(_DRAIN_BEAT_SECONDS)
        end = time.monotonic() + WEBHOOK_TIMEOUT_SECONDS
        while self.nr_conns and time.monotonic() < end:
            for connection in [one for one in self._waiting if one.idle()]:
                self._close(connection)
            self._turn(_DRAIN_BEAT_SECONDS)
        self.set_accept_enabled(False)

    def _wait(self, connection: Connection) -> None:
        """Let the poller wait for what comes next; some of it may be there already, behind TLS."""
        self._waiting.add(connection)
        connection.waits_for = selectors.EVENT_READ
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(self._ready, connection))
        self._ready(connection, connection.sock)

    def _ready(self, connection: Connection, sock: Any) -> None:
        try:
            if connection.advance():
                self._take_up(connection)
            return
        except (ssl.SSLWantReadError, BlockingIOError):
            wanted = selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            wanted = selectors.EVENT_WRITE
        except (OSError, HeadTooLongError):
            self._close(connection)
            return
        if wanted != connection.waits_for:
            connection.waits_for = wanted
            self.poller.modify(sock, wanted, partial(self._ready, connection))

    def _take_up(self, connection: Connection) -> None:
        """A whole request: to a thread with it. Health is never shed: who is busy is alive."""
        self._forget(connection)
        if self._busy < ADMISSION_THREADS or not connection.gathering.data.startswith(b"POST "):
            self._busy += 1
            self.tpool.submit(self._handle, connection).add_done_callback(
                lambda done: self.method_queue.defer(self._handled, connection, done)
            )
            return
        self._bridge.shed()
        with contextlib.suppress(OSError):
            connection.sock.send(wire(unavailable("too many reviews at a time")))
        self._leave(connection)

    def _handle(self, connection: Connection) -> bytes | None:
        """In a thread: answer a whole request. What has come behind it, or None where the connection ends."""
        gathering, request = connection.gathering, None
        connection.sock.settimeout(WEBHOOK_TIMEOUT_SECONDS)
        parser = RequestParser(self.cfg, connection.sock, connection.client)
        parser.unreader.unread(bytes(gathering.data))
        try:
            request = next(parser)
            body = read_body(request, gathering)
            reply = self._bridge.answer(head_of(request, connection), body, dropped=gathering.dropped)
            connection.sock.sendall(wire(reply, head_only=request.method == "HEAD"))
        except (StopIteration, NoMoreData, OSError):
            return None
        except Exception as error:  # noqa: BLE001 - the parser has many, and the worker's own way to tell them
            self.handle_error(request, connection.sock, connection.client, error)
            return None
        ends = reply.close or gathering.dropped or request.should_close()
        return None if ends else parser.unreader.buf.getvalue()

    def _handled(self, connection: Connection, done: Future[bytes | None]) -> None:
        """On to the next request, or the end."""
        self._busy -= 1
        connection.gathering.share.give_back()
        rest = None if done.cancelled() or done.exception() else done.result()
        if rest is None:
            self._leave(connection)
            return
        connection.sock.setblocking(False)
        connection.gathering = Gathering(self._budget.share())
        connection.until = time.monotonic() + self.cfg.keepalive
        try:
            whole = bool(rest) and connection.take(rest)
        except HeadTooLongError:
            self._leave(connection)
            return
        if whole:
            self._take_up(connection)
        else:
            self._wait(connection)

    def _leave(self, connection: Connection) -> None:
        try:
            connection.leave(time.monotonic() + _GOODBYE_SECONDS)
        except OSError:
            self._close(connection)
            return
        self._wait(connection)

    def _close(self, connection: Connection) -> None:
        self._forget(connection)
        connection.gathering.share.give_back()
        self.nr_conns -= 1
        connection.sock.close()

    def _forget(self, connection: Connection) -> None:
        if connection in self._waiting:
            self._waiting.discard(connection)
            self.poller.unregister(connection.sock)
