"""Owns the listener of the API server: binds the port, sets gunicorn, hands over. Must not build the app.

One worker process with threads: counters and rates are of one process, and the work is waiting for SQLite and senders.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from reconciler.errors import UsageError
from reconciler.limits import (
    API_BACKLOG,
    API_DRAIN_SECONDS,
    API_KEEPALIVE_SECONDS,
    API_SILENT_SECONDS,
    API_STALLED_SECONDS,
    API_THREADS,
)
from webhook.api.events import ENDING
from webhook.parent import worker_ends_with_master

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the kernel keeps it; gunicorn makes a private file there
_WORKER_SILENT_SECONDS = 60


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises UsageError that names the address and what is against it."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections take it over: a sender that stops half-way frees its thread, also between headers.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", API_SILENT_SECONDS, 0))
        # And one that takes nothing of what it is sent, be it a report or a stream.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", API_STALLED_SECONDS, 0))
        listener.bind((host, port))
        listener.listen(API_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot listen: {reason}", where=f"{host}:{port}", hint="choose another --host or --port, 0 for any"
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL under which this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a comparison, nothing is bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(listener: socket.socket, factory: Callable[[], Flask], *, log_level: str = "info") -> None:
    """Serve until a signal ends it; raises SystemExit then. `factory` is called in the worker, after the fork."""
    # gunicorn copies the descriptor and closes the one it was given, so it must own that one alone.
    _Server(options(listener.detach(), log_level), factory).run()


def options(listener: int, log_level: str) -> dict[str, Any]:
    """Settings by gunicorn's names. `listener` is the descriptor of the bound socket."""
    return {
        "bind": f"fd://{listener}",
        "worker_class": "gthread",
        "workers": 1,
        "threads": API_THREADS,
        "keepalive": API_KEEPALIVE_SECONDS,
        "timeout": _WORKER_SILENT_SECONDS,
        "graceful_timeout": API_DRAIN_SECONDS,
        "worker_tmp_dir": str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None,
        "http_parser": "python",
        "accesslog": None,
        "errorlog": "-",
        "loglevel": log_level,
        "logger_class": _Log,
        "control_socket_disable": True,
        "proc_name": "setscrew-api",
        "post_fork": worker_ends_with_master,
        "post_worker_init": _tells_its_end,
        # Nothing here depends on the sender's address or scheme, so no header of a proxy is believed.
        "forwarded_allow_ips": "",
    }


def _tells_its_end(worker: Any) -> None:
    # Streams would hold up the end of the process for as long as it waits for requests.
    worker.wsgi.config[ENDING] = lambda: not worker.alive


class _Log(Logger):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn's log without a trace for each sender that stopped half-way: strangers must not fill the disk."""

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """An unexpected error with its trace, a silent sender in a word."""
        if isinstance(sys.exception(), BlockingIOError):
            self.debug("a sender fell silent")
        else:
            super().exception(msg, *args, **kwargs)


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn with settings from us alone: no command line, no configuration file."""

    def __init__(self, settings: dict[str, Any], factory: Callable[[], Flask]) -> None:
        self._settings = settings
        self._factory = factory
        super().__init__()

    def load_config(self) -> None:
        """Take our settings."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application; called in the worker."""
        return self._factory()
