"""Owns the reconciler's threads and sockets: the refresh socket, decision datagrams, and the clockwork of passes.

Must not know what a pass does. Looks at Git for a push or a waiting writer have threads of their own, one a source;
another thread does the slow work.
"""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from reconciler.errors import SetscrewError, place
from reconciler.limits import KIB, LOOK_REASON_CHARS, LOOK_REASONS
from reconciler.loop.deletes import Deletes
from reconciler.loop.looks import Look, Looks
from reconciler.loop.receipt import receive
from reconciler.loop.reconciler import Reconciler
from reconciler.store.decisions import record_all

REFRESH_SOCKET: Final = "reconciler.sock"
DECISIONS_SOCKET: Final = "decisions.sock"
_DATAGRAM_BYTES: Final = 64 * KIB
_FIRST_RETRY_SECONDS: Final = 2.0


class _Server(socketserver.ThreadingUnixStreamServer):
    """Takes in whoever asks; a look that they share is no more work for many."""

    daemon_threads = True
    request_queue_size = 128


@dataclass(slots=True)
class Clockwork:
    """Runs one reconciler until `stop`. Intervals are in seconds."""

    reconciler: Reconciler
    directory: Path
    scan_seconds: float = 30.0
    git_seconds: float = 300.0
    upkeep_seconds: float = 600.0
    _wake: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _looks: Looks = field(init=False)
    _deletes: Deletes = field(default_factory=Deletes)

    def __post_init__(self) -> None:
        self._looks = Looks(self._look)

    def stop(self) -> None:
        """End `run` soon; safe in a signal handler."""
        self._stop.set()
        self._wake.set()

    def refresh(self, names: Collection[str] = ()) -> Iterator[dict[str, Any]]:
        """Look at Git now (named sources, or all): what is known so far, each time that there is news.

        `ahead`: sources whose remote is ahead of what is enforced. `failed`: why sources could not be read. `digest`:
        what is enforced, once all that was seen is. It ends with the server forms of a few changed objects; what is
        slower follows in its own thread.
        """
        known = (source.name for source in self.reconciler.sources.configured)
        for seen in self._looks.at([name for name in known if not names or name in names]):
            news = {"ahead": seen.ahead, "failed": dict(islice(seen.failed.items(), LOOK_REASONS))}
            yield news | ({"digest": self.reconciler.digest} if seen.settled else {})

    def _look(self, name: str, look: Look, noted: Callable[[], None]) -> None:
        def ahead(_: str) -> None:
            look.ahead = True
            noted()

        self._step(lambda: self.reconciler.sync([name], ahead))
        look.failed, look.settled = self.reconciler.trouble(name)[:LOOK_REASON_CHARS], True
        noted()
        # A sync that comes right after the push brings defaults that the offline form does not know.
        self._step(lambda: self.reconciler.confirm(datetime.now(UTC), quickly=True))
        self._wake.set()

    def switch(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Change the mode of `sources` (none: all) to `enforced` or not; the modes before and after, or an error."""
        try:
            modes = self.reconciler.switch(
                map(str, question.get("sources") or ()), enforced=bool(question.get("enforced"))
            )
        except SetscrewError as error:
            return {"error": error.message, "hint": error.hint, "code": error.code}
        self._wake.set()
        return {"modes": modes, "digest": self.reconciler.digest}

    def run(self) -> None:
        """Serve sockets and passes until stopped."""
        with ExitStack() as stack:
            for name, serve in ((REFRESH_SOCKET, self._serve_refreshes), (DECISIONS_SOCKET, self._take_decisions)):
                path = self.directory / name
                path.unlink(missing_ok=True)
                stack.callback(path.unlink, missing_ok=True)
                serve(stack, path)
            self._step(self.reconciler.upkeep)
            self._passes()

    def _passes(self) -> None:
        next_look, scanned, kept = 0.0, 0.0, time.monotonic()
        retry = _FIRST_RETRY_SECONDS
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= next_look:
                self._step(self.reconciler.sync)
                # While something could not be read it is asked for sooner, but never in a tight loop.
                next_look = now + (self.git_seconds if self.reconciler.whole else min(retry, self.git_seconds))
                retry = _FIRST_RETRY_SECONDS if self.reconciler.whole else retry * 2
            self._step(lambda: self.reconciler.confirm(datetime.now(UTC)))
            if now - scanned >= self.scan_seconds or self._wake.is_set():
                self._wake.clear()
                self._step(lambda: self.reconciler.rediscover(datetime.now(UTC)))
                self._step(lambda: self.reconciler.scan(datetime.now(UTC)))
                scanned = now
            self._step(self._settle)
            if now - kept >= self.upkeep_seconds:
                self._step(self.reconciler.upkeep)
                kept = now
            self._wake.wait(min(1.0, self.scan_seconds))

    def _settle(self) -> None:
        found = self.reconciler
        self._deletes.settle(found.client, found.current, found.state, datetime.now(UTC), time.monotonic())

    def _step(self, work: Callable[[], object]) -> None:
        try:
            work()
        except SetscrewError as error:
            self.reconciler.say(str(error))
        except Exception as error:  # noqa: BLE001 - one bad pass must not end the guard
            self.reconciler.say(f"a pass failed: {place(error)}")

    def _serve_refreshes(self, stack: ExitStack, path: Path) -> None:
        clockwork = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self) -> None:
                with suppress(OSError, ValueError, TypeError, AttributeError):
                    question = json.loads(self.rfile.readline(_DATAGRAM_BYTES))
                    if question.get("op") == "switch":
                        answers: Iterable[Any] = [clockwork.switch(question)]
                    else:
                        name = question.get("source")
                        answers = clockwork.refresh([str(name)] if name else [])
                    for answer in answers:
                        self.wfile.write(json.dumps(answer).encode() + b"\n")

        server = _Server(str(path), Handler)
        path.chmod(0o600)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
        thread.start()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)

    def _take_decisions(self, stack: ExitStack, path: Path) -> None:
        def keep(lines: list[bytes]) -> None:
            self._step(lambda: record_all(self.reconciler.state, lines))
            self._step(lambda: self._deletes.note(lines, time.monotonic()))

        receive(stack, path, keep, self._stop)
