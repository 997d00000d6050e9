"""Owns the command `register`: switch the guard on or off by hand, or print its registration. Must not run anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError
from reconciler.model.instant import stamp
from reconciler.model.own import CANONICALIZER, NAMESPACE
from setscrew.certificates import Certificates
from setscrew.cli.certificates import given_certificate
from setscrew.cli.common import PATH, context_option, current_snapshot, note, print_yaml
from setscrew.statedir import RUN_FILE
from webhook.registration.apply import current, switch_off, switch_on, switched_off, whoami
from webhook.registration.apply import register as write
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.places import guarded_by
from webhook.tls.given import GivenFiles

_DEPLOYMENT: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/setscrew"


@click.command()
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory of `setscrew run`.")
@click.option(
    "--url", default="", help="Where the API server reaches the webhook; default: where `setscrew run` listens."
)
@click.option(
    "--kubeconfig", default="", envvar="KUBECONFIG", help="An identity that may write webhook configurations."
)
@context_option
@given_certificate
@click.option("--dry-run", is_flag=True, help="Print the configuration, write nothing.")
@click.option("--remove", "remove", is_flag=True, help="The off-switch: from then on nothing is refused.")
def register(
    state_dir: Path | None,
    url: str,
    kubeconfig: str,
    kube_context: str,
    dry_run: bool,
    remove: bool,
    given: GivenFiles | None,
) -> None:
    r"""Switch the guard on for what the current snapshot guards, or off.

    The off-switch needs nothing but the API server, and stays off until this command switches it on again.

    \b
    setscrew register --remove                     stop guarding, now (findings are still reported)
    setscrew register --state ./state              guard again, on one machine
    setscrew register                              guard again, in a cluster: the pod that leads writes the registration
    setscrew register --state ./state --dry-run    see what would be registered
    """
    if remove:
        _switch_off(ApiClient.load(kubeconfig, kube_context))
        return
    if state_dir is None and not dry_run and (cluster := _kept_by_pods(kubeconfig, kube_context)):
        _switch_on(cluster)
        return
    snapshot = current_snapshot(state_dir)
    assert state_dir is not None  # noqa: S101 - there is a snapshot in it
    url = url or _listening(state_dir)
    client = UrlClient(url)
    certificates = Certificates(state_dir, url, lambda line: note([line]), given)
    bundle = certificates.begin().ca_bundle
    wanted = build(guarded_by(snapshot.entries(), snapshot.rules), client, bundle, CANONICALIZER)
    if dry_run:
        print_yaml([wanted])
        return
    api = ApiClient.load(kubeconfig, kube_context)
    off = switched_off(current(api))
    outcome = write(api, wanted)
    told = f"registration {outcome}: {len(wanted['webhooks'])} entries"
    certificates.registered(bundle)
    note([*([f"it had been switched off at {off}"] if off else []), told])


def _listening(state_dir: Path) -> str:
    """Where the admission server of the last `setscrew run` on this directory is called."""
    try:
        known = json.loads((state_dir / RUN_FILE).read_text())
    except (OSError, ValueError):
        known = {}
    return str(known.get("admission") or "https://127.0.0.1:8443")


def _switch_off(api: ApiClient) -> None:
    outcome = switch_off(api, stamp(datetime.now(UTC)), whoami(api))
    since = f"off since {switched_off(current(api))}; only `setscrew register` switches it on"
    told = {
        "changed": "nothing is refused any more",
        "created": "there was no registration, and none will be made",
        "unchanged": "nothing was refused before either",
    }
    note([f"{told[outcome]}: {since}"])


def _kept_by_pods(kubeconfig: str, kube_context: str) -> ApiClient | None:
    """The cluster in which pods keep the registration; None where none do, or none can be asked."""
    try:
        api = ApiClient.load(kubeconfig, kube_context)
        api.request("GET", _DEPLOYMENT)
    except ClusterError:
        return None
    return api


def _switch_on(api: ApiClient) -> None:
    off = switch_on(api)
    if not off:
        note(["it is not switched off; the pod that leads keeps the registration"])
        return
    note(
        [f"it had been switched off at {off}", "switched on: the pod that leads writes the registration within seconds"]
    )
