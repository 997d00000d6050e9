"""Owns the names of the sockets in the state directory, so that who asks need not import who answers."""

from __future__ import annotations

from typing import Final

RECONCILER_SOCKET: Final = "reconciler.sock"
DECISIONS_SOCKET: Final = "decisions.sock"
