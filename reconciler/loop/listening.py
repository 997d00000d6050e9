"""Owns the reconciler's socket of questions: one JSON line in, lines of JSON out. Must not know what is asked."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from reconciler.limits import QUESTION_BYTES

# How long whoever connects may take for the question.
_QUESTION_SECONDS: Final = 10


class _Server(socketserver.ThreadingUnixStreamServer):
    """Takes in whoever asks; a look that they share is no more work for many."""

    daemon_threads = True
    request_queue_size = 128


def listen(stack: ExitStack, path: Path, answers: Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]) -> None:
    """Bind `path` (0600) and answer each question in a thread of its own, until `stack` ends."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = _QUESTION_SECONDS

        def handle(self) -> None:
            with suppress(OSError, ValueError, TypeError, AttributeError):
                for answer in answers(json.loads(self.rfile.readline(QUESTION_BYTES))):
                    self.wfile.write(json.dumps(answer).encode() + b"\n")

    server = _Server(str(path), Handler)
    path.chmod(0o600)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
