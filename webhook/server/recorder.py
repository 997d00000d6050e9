"""Owns the way of decision records to the reconciler: datagrams over a Unix socket, losses counted.

Must never make a review wait or fail: the audit trail is worth less than the cluster's writes. Each record has a
number, lost ones too, so whoever reads the trail sees where some are missing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import deque
from pathlib import Path

import msgspec

from reconciler.limits import DECISION_LINE_BYTES, DECISION_QUEUE
from webhook.server.record import cut

_LOG = logging.getLogger("setscrew.admission")
_BUSY_SECONDS = 0.02
# What comes within so long of a record is sent with the next one: a turn of the loop for each costs as much as sending.
_GATHER_SECONDS = 0.005
_GONE_SECONDS = 0.5


class DatagramRecorder:
    """A bounded queue before a datagram socket. `lost` counts records that nobody will see.

    Make one in each process: `worker` names it in its records, and `number` counts them from 1.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._queue: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._encoder = msgspec.json.Encoder()
        self.worker = secrets.token_hex(8)
        self.number = 0
        self.lost = 0

    @property
    def queued(self) -> int:
        """Records that wait for the reconciler."""
        return len(self._queue)

    def put(self, record: dict[str, object]) -> None:
        """Queue one record; the newest is lost where the queue is full, so that what led to it stays."""
        self.number += 1
        line = b"" if len(self._queue) >= DECISION_QUEUE else self._line(record) or self._line(_shortened(record))
        if not line:
            self._lose(1)
            return
        self._queue.append(line)
        self._filled.set()

    def _line(self, record: dict[str, object]) -> bytes:
        """One datagram, or nothing where it would be too large, or is no JSON."""
        try:
            line = self._encoder.encode({**record, "worker": self.worker, "number": self.number}) + b"\n"
        except (msgspec.MsgspecError, ValueError, TypeError):
            return b""
        return line if len(line) <= DECISION_LINE_BYTES else b""

    def _lose(self, count: int) -> None:
        before, self.lost = self.lost, self.lost + count
        if count and (not before or self.lost // DECISION_QUEUE > before // DECISION_QUEUE):
            _LOG.warning("decision log: %d records lost so far", self.lost)

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
        self._lose(len(self._queue))
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
        return _GATHER_SECONDS


def _shortened(record: dict[str, object]) -> dict[str, object]:
    """Whoever can make a record large (groups, extras) must not be able to leave none."""
    return {**cut(record), "cut": True}
