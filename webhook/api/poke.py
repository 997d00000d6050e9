"""Owns the word to the reconciler: "look at this source now", one JSON line to its socket. Must not wait for it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from reconciler.limits import POKE_SECONDS


def poke(reconciler: Path, source: str) -> None:
    """Ask for a refresh of `source` and leave; the answer is nobody's business here. Raises OSError.

    A push is answered within a second, whatever a fetch takes; what came of it stands in the state of the source.
    """
    line = json.dumps({"op": "refresh", "source": source}) + "\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(POKE_SECONDS)
        connection.connect(str(reconciler))
        connection.sendall(line.encode())
