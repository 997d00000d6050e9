"""Owns a connection to the admission server in memory: what a client sends, and what is written to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple

from reconciler.limits import ADMISSION_KEEPALIVE_SECONDS
from tests.support import stub_admission as stub
from tests.support.waiting import PATIENCE_SECONDS
from webhook.decision.look import CURRENT, Look
from webhook.server.app import AdmissionApp
from webhook.server.judge import Judge
from webhook.server.protocol import AdmissionProtocol

JSON = (b"content-type", b"application/json")


async def found_current(seconds: float, source: str = "") -> Look:
    """A look at Git that has nothing new to tell."""
    return CURRENT


def an_app(**changes: Any) -> AdmissionApp:
    """The application with everything behind it stubbed. `changes`: other parts of its judge."""
    parts: dict[str, Any] = {
        "feed": stub.StubFeed(),
        "decide": stub.decide,
        "decode": stub.decode,
        "encode": stub.encode,
        "refresh": found_current,
        "recorder": SimpleNamespace(put=lambda _: None),
        "clock": lambda: 1_700_000_000.25,
    }
    return AdmissionApp(Judge(**(parts | changes)))


class Answer(NamedTuple):
    """One answer, its field names in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Wire(asyncio.Transport):
    """The transport of one connection: keeps what is written, in the writes that it came in."""

    def __init__(self, app: AdmissionApp, connections: set[AdmissionProtocol] | None = None) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = self.aborted = False
        self.reading = True
        self.connections = set() if connections is None else connections
        self.protocol = AdmissionProtocol(app, self.connections, ADMISSION_KEEPALIVE_SECONDS)
        self.protocol.connection_made(self)

    def send(self, *parts: bytes) -> None:
        """Bytes of the client, as they arrive."""
        for part in parts:
            self.protocol.data_received(part)

    def lose(self) -> None:
        """The client is gone."""
        self.protocol.connection_lost(None)

    @property
    def written(self) -> bytes:
        """All that the client gets."""
        return b"".join(self.writes)

    def answers(self) -> list[Answer]:
        """All whole answers so far; a body behind a head of which none was sent is not looked for."""
        return list(_answers(self.written))

    async def answered(self, number: int = 1) -> list[Answer]:
        """Wait until there are so many answers, or the connection has ended."""
        await until(lambda: len(self.answers()) >= number or self.closed)
        return self.answers()

    def write(self, data: Any) -> None:
        """Keep it."""
        self.writes.append(bytes(data))

    def close(self) -> None:
        """The server has said goodbye."""
        self.closed = True

    def abort(self) -> None:
        """Without a word."""
        self.closed = self.aborted = True

    def get_extra_info(self, *_: Any) -> Any:
        """Nothing is known of this client."""

    def pause_reading(self) -> None:
        """No more for now."""
        self.reading = False

    def resume_reading(self) -> None:
        """More."""
        self.reading = True


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until `holds`."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def request(
    body: bytes = b"", path: str = "/validate", method: str = "POST", headers: Iterable[tuple[bytes, bytes]] = (JSON,)
) -> bytes:
    """A request in HTTP/1.1, its length declared."""
    fields = [(b"host", b"localhost"), *headers, (b"content-length", str(len(body)).encode())]
    head = [f"{method} {path} HTTP/1.1".encode(), *(b"%b: %b" % field for field in fields), b"", body]
    return b"\r\n".join(head)


def _answers(written: bytes) -> Iterable[Answer]:
    while written:
        head, _, rest = written.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        headers = {name.lower(): value for name, value in (field.split(b": ", 1) for field in fields)}
        length = int(headers.get(b"content-length", 0))
        if not line.startswith(b"HTTP/1.1 1"):
            yield Answer(int(line.split()[1]), headers, rest[:length])
        written = rest if line.startswith(b"HTTP/1.1 1") else rest[length:]
