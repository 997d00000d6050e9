"""When a part of `setscrew run` is said to work: it answers there, and a file or an open port alone prove nothing."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from setscrew.readiness import answers, listens


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - where it is asked, nothing is bound
def test_a_server_that_is_healthy_works(host: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert answers(host, server.server_port, tls=False)
        thread.join()


@pytest.mark.parametrize("tls", [False, True])
def test_a_port_that_is_open_and_silent_does_not_work(tls: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert not answers("127.0.0.1", port, tls=tls)
    assert not answers("127.0.0.1", port, tls=tls)


def test_a_socket_works_while_somebody_listens(tmp_path: Path) -> None:
    path = tmp_path / "reconciler.sock"
    assert not listens(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert not listens(path)
        server.listen()
        assert listens(path)
    assert path.exists()
    assert not listens(path)
