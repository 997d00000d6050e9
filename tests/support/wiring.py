"""Owns a wire to the API server that tests can cut and hold, and the kubeconfig that goes through it."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from setscrew.controlplane import ControlPlane


class Wire(socketserver.ThreadingTCPServer):
    """Stands between a client and the API server; where it is cut, all connections break, and new ones are taken."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.to, self.opened, self.held = port, set[socket.socket](), False
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    def cut(self) -> int:
        """Break what is open; how many connections that were."""
        broken = list(self.opened)
        for one in broken:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        return len(broken)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Cut it, and let nobody through until the end."""
        self.held = True
        self.cut()
        try:
            yield
        finally:
            self.held = False


class _Passing(socketserver.BaseRequestHandler):
    """Passes on what either side sends until one of them has ended."""

    server: Wire
    request: socket.socket

    def handle(self) -> None:
        self.server.opened.add(self.request)
        if self.server.held:
            return
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.server.to)) as there:
            other = {self.request: there, there: self.request}
            while True:
                for ready in select.select(list(other), [], [])[0]:
                    if not (data := ready.recv(65536)):
                        return
                    other[ready].sendall(data)

    def finish(self) -> None:
        self.server.opened.discard(self.request)


@contextmanager
def wired(plane: ControlPlane, kubeconfig: Path, directory: Path) -> Iterator[tuple[Wire, Path]]:
    """A wire, and the kubeconfig that leads through it."""
    wire = Wire(plane.site.ports.api_server)
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{wire.server_address[1]}"
    (directory / "wired").write_text(yaml.safe_dump(config))
    try:
        yield wire, directory / "wired"
    finally:
        wire.shutdown()
        wire.cut()
        wire.server_close()
