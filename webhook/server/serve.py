"""Owns the start of the admission server: binds the port, then hands over to gunicorn. Must not know routes."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from gunicorn import util
from gunicorn.app.base import BaseApplication

from reconciler.errors import UsageError
from webhook.server.certificate import ServingCertificate
from webhook.server.gunicorn_conf import options
from webhook.settings import AdmissionSettings

_BACKLOG = 512
APPLICATION = "webhook.server.main:application()"


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn with settings from us alone: no command line, no configuration file."""

    def __init__(self, settings: dict[str, Any], application: str) -> None:
        self._settings = settings
        self._application = application
        super().__init__()

    def load_config(self) -> None:
        """Take our settings."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application; called in each worker, after the fork."""
        return util.import_app(self._application)


def run(settings: AdmissionSettings, application: str = APPLICATION) -> None:
    """Serve until a signal ends it; raises SystemExit then.

    Raises UsageError at once for a certificate that cannot be loaded or a port that cannot be had.
    """
    ServingCertificate(settings.certificate, settings.key, settings.tls_minimum)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    listener = bind(settings.host, settings.port)
    os.environ.update(settings.environment())  # noqa: TID251 - the way to the workers, see settings_of_process
    # gunicorn takes the descriptor over and closes it.
    _Server(options(settings, listener.detach()), application).run()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises UsageError that names the address and what stands against it."""
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
            hint="choose another SETSCREW_ADMISSION_HOST or SETSCREW_ADMISSION_PORT",
        ) from None
    return listener
