"""Owns the command `register`: write, print or remove the webhook configuration by hand. Must not run anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.cluster.api import ApiClient
from setscrew.cli.common import PATH, current_snapshot, note, print_yaml
from webhook.decision.identity import CANONICALIZER
from webhook.registration.apply import register as write
from webhook.registration.apply import remove as take_away
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.tls.files import ensure


@click.command()
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory of `setscrew run`.")
@click.option(
    "--url", default="https://127.0.0.1:8443", show_default=True, help="Where the API server reaches the webhook."
)
@click.option(
    "--kubeconfig", default="", envvar="KUBECONFIG", help="An identity that may write webhook configurations."
)
@click.option("--dry-run", is_flag=True, help="Print the configuration, write nothing.")
@click.option("--remove", "remove", is_flag=True, help="The off-switch: from then on nothing is refused.")
def register(state_dir: Path | None, url: str, kubeconfig: str, dry_run: bool, remove: bool) -> None:
    r"""Write the webhook configuration for what the current snapshot guards, or take it away.

    \b
    setscrew register --remove                     stop guarding, now (findings are still reported)
    setscrew register --state ./state --dry-run    see what would be registered
    """
    if remove:
        there = take_away(ApiClient.load(kubeconfig))
        note(["nothing is refused any more" if there else "there was no registration"])
        return
    snapshot = current_snapshot(state_dir)
    assert state_dir is not None  # noqa: S101 - there is a snapshot in it
    client = UrlClient(url)
    bundle = ensure(state_dir / "tls", client.names, datetime.now(UTC)).ca_bundle
    guarded = [(entry.object.kind, entry.policy) for entry in snapshot.entries()]
    wanted = build(guarded, client, bundle, CANONICALIZER)
    if dry_run:
        print_yaml([wanted])
    else:
        note([f"registration {write(ApiClient.load(kubeconfig), wanted)}: {len(wanted['webhooks'])} entries"])
