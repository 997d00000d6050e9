"""Owns the port where metrics are read: plain HTTP, one answer a connection. Must not know what they say.

It must not be in the way of a review: a scrape is read on the loop, in little steps, and written in a thread.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST

from reconciler.limits import METRICS_CONNECTIONS, METRICS_HEAD_BYTES, METRICS_SILENT_SECONDS


async def serve_metrics(listener: socket.socket, show: Callable[[], bytes]) -> None:
    """Answer GET /metrics in plain HTTP until cancelled. Each worker does, so one that ends takes none away."""
    open_now = 0

    async def scraped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        try:
            if open_now <= METRICS_CONNECTIONS:
                async with asyncio.timeout(METRICS_SILENT_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await _answer(head, show))
                    await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            open_now -= 1
            writer.close()

    server = await asyncio.start_server(scraped, sock=listener.dup(), limit=METRICS_HEAD_BYTES)
    async with server:
        await server.serve_forever()


async def _answer(head: bytes, show: Callable[[], bytes]) -> bytes:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    if method not in {b"GET", b"HEAD"}:
        return _response(HTTPStatus.METHOD_NOT_ALLOWED, b"")
    if path != b"/metrics":
        return _response(HTTPStatus.NOT_FOUND, b"")
    body = await asyncio.to_thread(show)
    return _response(HTTPStatus.OK, body)[: None if method == b"GET" else -len(body)]


def _response(status: HTTPStatus, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {CONTENT_TYPE_LATEST}\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
