"""Owns free loopback ports that stay ours; must not listen on them."""

from __future__ import annotations

import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reservation:
    """A port that is bound but not listened on, so that nobody else is given it before its server starts.

    The server binds beside it with SO_REUSEPORT (only the same user may); a socket that does not listen gets no
    connection. Without this, a port found free is often taken again when several control planes start at once.
    """

    holder: socket.socket

    @classmethod
    def take(cls) -> Reservation:
        """A free port of 127.0.0.1."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        return cls(holder)

    @property
    def port(self) -> int:
        """The port number."""
        return int(self.holder.getsockname()[1])

    def release(self) -> None:
        """Give the port back."""
        self.holder.close()


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that nobody has just now: for servers that cannot share a reserved one."""
    holders = [Reservation.take() for _ in range(count)]
    ports = [holder.port for holder in holders]
    for holder in holders:
        holder.release()
    return ports


def listens(port: int) -> bool:
    """Whether a server accepts connections on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
