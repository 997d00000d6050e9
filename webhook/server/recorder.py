"""Owns the way of decision records to the reconciler: datagrams over a Unix socket, losses counted.

Must never make a review wait or fail: the audit trail is worth less than the cluster's writes.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from pathlib import Path

import msgspec

from reconciler.limits import DECISION_LINE_BYTES, DECISION_QUEUE

_LOG = logging.getLogger("setscrew.admission")
_BUSY_SECONDS = 0.02
_GONE_SECONDS = 0.5


class DatagramRecorder:
    """A bounded queue before a datagram socket. `lost` counts records that nobody will see."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._queue: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._encoder = msgspec.json.Encoder()
        self.lost = 0

    def put(self, record: dict[str, object]) -> None:
        """Queue one record; the newest is lost where the queue is full, so that what led to it stays."""
        try:
            line = self._encoder.encode(record) + b"\n"
        except (msgspec.MsgspecError, ValueError, TypeError):
            line = b" " * (DECISION_LINE_BYTES + 1)
        if len(line) > DECISION_LINE_BYTES or len(self._queue) >= DECISION_QUEUE:
            self.lost += 1
            if self.lost == 1 or self.lost % DECISION_QUEUE == 0:
                _LOG.warning("decision log: %d records lost so far", self.lost)
            return
        self._queue.append(line)
        self._filled.set()

    async def run(self) -> None:
        """Send what is queued, until cancelled; waits where the receiver is busy or away."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(0)
            while True:
                await self._filled.wait()
                await asyncio.sleep(self._flush(channel))

    def flush(self) -> None:
        """Send what can be sent now: the last act of a worker. What stays is counted as lost."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(0)
            self._flush(channel)
        self.lost += len(self._queue)
        self._queue.clear()

    def _flush(self, channel: socket.socket) -> float:
        while self._queue:
            try:
                channel.sendto(self._queue[0], self._path)
            except BlockingIOError:
                return _BUSY_SECONDS
            except OSError:
                return _GONE_SECONDS
            self._queue.popleft()
        self._filled.clear()
        return 0.0
