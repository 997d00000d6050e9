"""Owns `python -m setscrew.controlplane`: `build` for `make setup`, `up` for people; must not hold logic of its own."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from setscrew.controlplane import binaries
from setscrew.controlplane.plane import ControlPlane


@click.group()
def main() -> None:
    """A real Kubernetes control plane on this machine: etcd, API server and controllers, without nodes."""


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(binaries.ALL))
def build(names: tuple[str, ...]) -> None:
    """Find or build the pinned programs (all of them if none is named) and print where they are."""
    # As Ctrl-C does: the compiler ends with us instead of going on for a quarter of an hour.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tools = binaries.ensure(names or binaries.ALL)
    for name, path in tools.paths.items():
        click.echo(f"{name}\t{path}")


@main.command()
@click.option(
    "--audit-policy", type=click.Path(path_type=Path, exists=True), help="Policy file; the audit log goes on."
)
@click.option("--feature-gate", "gates", multiple=True, help="NAME=true|false, for the API server and the controllers.")
def up(audit_policy: Path | None, gates: tuple[str, ...]) -> None:
    """Start a control plane, print its admin kubeconfig, and keep it until Ctrl-C."""
    with ControlPlane.start(feature_gates=gates, audit_policy=audit_policy) as plane:
        ended = _on_signal()  # before it is announced: whoever reads the line may end it at once
        click.echo(plane.admin_kubeconfig)
        click.echo(f"{plane.server} is ready; export KUBECONFIG={plane.admin_kubeconfig}; Ctrl-C ends it", err=True)
        ended.wait()


def _on_signal() -> threading.Event:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return ended


if __name__ == "__main__":
    from reconciler.errors import SetscrewError

    try:
        main()
    except SetscrewError as error:
        click.echo(f"setscrew: {error}", err=True)
        raise SystemExit(error.exit_status) from None
