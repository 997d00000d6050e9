"""Owns the start of the admission server: binds the ports, then hands over to gunicorn. Must not know routes."""

from __future__ import annotations

import logging
import os
import socket
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.app.base import BaseApplication

from reconciler.errors import UsageError
from webhook.server import memory
from webhook.server.board import Board, Seat
from webhook.server.certificate import ServingCertificate
from webhook.server.digest import read_ahead
from webhook.server.gunicorn_conf import options
from webhook.settings import AdmissionSettings

_BACKLOG = 512
APPLICATION = "webhook.server.main:application"


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn with settings from us alone: no command line, no configuration file."""

    def __init__(self, settings: dict[str, Any], application: str, board: Board, metrics: socket.socket | None) -> None:
        self._settings = settings
        self._application = application
        self._seat = partial(Seat, board, metrics=metrics)
        # Of the worker in which this runs: its row of the board.
        self.number = 1
        super().__init__()

    def load_config(self) -> None:
        """Take our settings."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application; called in each worker, after the fork."""
        return util.import_app(self._application)(self._seat(self.number))


def run(settings: AdmissionSettings, application: str = APPLICATION) -> None:
    """Serve until a signal ends it; raises SystemExit then.

    Raises UsageError at once for a certificate that cannot be loaded or a port that cannot be had.
    """
    ServingCertificate.of(settings)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    listener = bind(settings.host, settings.port, "SETSCREW_ADMISSION")
    metrics = None
    if settings.metrics_port is not None:
        metrics = bind(settings.metrics_host, settings.metrics_port, "SETSCREW_METRICS")
    os.environ.update(settings.environment())  # noqa: TID251 - the way to the workers, see settings_of_process
    reading = read_ahead(settings.pointer)
    memory.prepare()
    reading.join()
    board = Board(settings.workers)
    # gunicorn takes the descriptor over and closes it.
    _Server(options(settings, listener.detach(), board), application, board, metrics).run()


def bind(host: str, port: int, variables: str) -> socket.socket:
    """A listening socket. Raises UsageError that names the address and what stands against it.

    `variables` is how the two begin by which another address is chosen.
    """
    address = f"{host}:{port}"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen: {error.strerror or error}",
            where=address,
            hint=f"choose another {variables}_HOST or {variables}_PORT",
        ) from None
    return listener
