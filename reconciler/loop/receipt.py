"""Owns the receipt of decision records: datagrams come in, batches go out. Must not know what they say.

What queues while a batch is being kept becomes the next one; the senders count what finds no room in their own queues.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from reconciler.limits import DECISION_BATCH, DECISION_LINE_BYTES, DRAIN_SECONDS, STATE_BUSY_SECONDS

_LOOK_SECONDS: Final = 0.5


def receive(stack: ExitStack, path: Path, keep: Callable[[list[bytes]], object], stop: threading.Event) -> None:
    """Bind `path` (0600) and hand batches to `keep`, in a thread of its own; `stack` ends it once `stop` is set."""
    receiver = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    receiver.bind(str(path))
    path.chmod(0o600)

    def take() -> None:
        end = math.inf
        while (lines := _queued(receiver)) or end == math.inf:
            if lines:
                keep(lines)
            if stop.is_set():
                # The admission server ends at the same time: what it still says is kept, until it is quiet.
                end = min(end, time.monotonic() + DRAIN_SECONDS)
            if time.monotonic() > end:
                return

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    stack.callback(thread.join, STATE_BUSY_SECONDS)


def _queued(receiver: socket.socket) -> list[bytes]:
    """What is there now, at most a batch; waits a little for the first."""
    lines: list[bytes] = []
    receiver.settimeout(_LOOK_SECONDS)
    with suppress(OSError):
        while len(lines) < DECISION_BATCH:
            lines.append(receiver.recv(DECISION_LINE_BYTES))
            receiver.settimeout(0)
    return lines
