"""Owns the options about certificates that several commands take, each group as one argument. Must not read files."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from setscrew.certificates import Clients, given_files
from setscrew.cli.common import PATH


def given_certificate(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--tls-certificate`, `--tls-key`, `--tls-ca-bundle` as the argument `given`."""

    @wraps(command)
    def called(*, tls_certificate: Path | None, tls_key: Path | None, tls_ca_bundle: Path | None, **rest: Any) -> Any:
        return command(given=given_files(tls_certificate, tls_key, tls_ca_bundle), **rest)

    options = (
        click.option("--tls-certificate", type=PATH, help="A serving certificate (PEM) that others make and renew."),
        click.option("--tls-key", type=PATH, help="Its private key (PEM, without a passphrase)."),
        click.option("--tls-ca-bundle", type=PATH, help="The authorities (PEM) by which the API server verifies it."),
    )
    return _with(called, options)


def client_certificates(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--client-ca`, `--client-name` as the argument `clients`."""

    @wraps(command)
    def called(*, client_ca: Path | None, client_name: tuple[str, ...], **rest: Any) -> Any:
        return command(clients=Clients.of(client_ca, client_name), **rest)

    options = (
        click.option(
            "--client-ca",
            type=PATH,
            envvar="SETSCREW_CLIENT_CA",
            help="Answer reviews only to clients with a certificate of this authority (PEM).",
        ),
        click.option(
            "--client-name",
            multiple=True,
            envvar="SETSCREW_CLIENT_NAMES",
            help="A name that such a certificate must carry; may be given again.",
        ),
    )
    return _with(called, options)


def _with(command: Callable[..., Any], options: tuple[Any, ...]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
