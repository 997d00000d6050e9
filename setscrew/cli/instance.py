"""Owns which running instance a command asks, and asking it. Must not know what is asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError
from reconciler.limits import SWITCH_SECONDS
from reconciler.model.sockets import RECONCILER_SOCKET


def address(server: str | None, token_file: Path | None, state_dir: Path | None) -> tuple[str, Path]:
    """URL of the API server, and the file with its token: as given, or of the state directory. Raises UsageError."""
    if server and token_file:
        return server, token_file
    if state_dir is None:
        raise UsageError(
            "which instance?", hint="give --state DIR (or $SETSCREW_STATE), or --server URL and --token-file FILE"
        )
    from setscrew.api_files import read_address

    known = read_address(state_dir)
    if server and server.rstrip("/") != known.url:
        raise UsageError("another server needs its own token", where=server, hint="add --token-file FILE")
    return server or known.url, token_file or known.token_file


def ask(state_dir: Path, question: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The answers of the reconciler that works on a state directory, as they come.

    Raises UsageError where there is none, and for what it refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SWITCH_SECONDS)
            connection.connect(str(state_dir / RECONCILER_SOCKET))
            connection.sendall(json.dumps(question).encode() + b"\n")
            for line in connection.makefile():
                answer: dict[str, Any] = json.loads(line)
                if "error" in answer:
                    raise UsageError(answer["error"], hint=answer["hint"], code=answer["code"])
                yield answer
    except TimeoutError as error:
        hint = "it may be reading Git; the change is made when it is done: ask again"
        raise UsageError("the reconciler has not answered yet", where=str(state_dir), hint=hint) from error
    except (OSError, ValueError) as error:
        hint = "start `setscrew run` on it"
        raise UsageError("no reconciler works on this state directory", where=str(state_dir), hint=hint) from error
