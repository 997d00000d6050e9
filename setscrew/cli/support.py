"""Owns the command `support-bundle`: where the bundle is written. Must not choose what is in it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from reconciler.cluster.api import ApiClient
from reconciler.errors import UsageError
from setscrew.cli.common import PATH, note
from setscrew.cli.install import reach_options
from setscrew.doctor.examine import examine_installed
from setscrew.doctor.finding import summary
from setscrew.doctor.gather import Where, gather
from setscrew.doctor.look_installed import look
from setscrew.installing.bundle import files, packed, stamped
from setscrew.installing.server import Server


@click.command("support-bundle")
@click.option("--output", "output", type=PATH, help="File; default: setscrew-support-TIME.tar.gz in this directory.")
@reach_options
def support_bundle(output: Path | None, kubeconfig: str, kube_context: str) -> None:
    r"""Gather the state of an installation into one file for whoever helps: versions, statuses, events, logs, metrics.

    No secret is in it: Secrets are names, types and sizes; of ConfigMaps and Helm values the keys; credentials are cut
    out of URLs and logs. Names of objects and people are in it. Look before you give it away.

    \b
    setscrew support-bundle
    tar tzf setscrew-support-20271122-093000.tar.gz
    """
    now = time.time()
    name = stamped(now)
    path = output or Path(f"{name}.tar.gz")
    client = ApiClient.load(kubeconfig, kube_context)
    findings = examine_installed(look(client), gather(Where(None, kubeconfig, context=kube_context)))
    told = {"summary": summary(findings), "findings": [one.as_json() for one in findings]}
    data = packed(files(Server(client), told), name, now)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(path), hint="give --output") from error
    click.echo(str(path))
    note(["no secret is in it, names of objects and people are: look before you give it away"])
