"""Owns the command `doctor`: the health of an installation, each problem with its fix. Must not repair anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from reconciler.cluster.api import ApiClient
from setscrew.cli.certificates import given_certificate
from setscrew.cli.common import PATH, context_option, finish, output_option, print_json, print_yaml
from setscrew.cli.table import print_rows
from setscrew.doctor.examine import examine, examine_installed
from setscrew.doctor.finding import Finding, Missing, State, status, summary
from setscrew.doctor.gather import Where, gather
from setscrew.doctor.look_installed import look
from setscrew.installing.preflight import Preflight
from webhook.tls.given import GivenFiles

_STYLES: Final[dict[State, str]] = {"ok": "green", "warning": "yellow", "problem": "bold red", "unknown": "magenta"}


@click.command()
@click.option("--in-cluster", is_flag=True, help="Of the installation in the cluster; needs no state directory.")
@click.option("--preflight", is_flag=True, help="What stands against an installation, before there is one.")
@click.option("--overlay", default="", help="Of that overlay, with --preflight.")
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory of `setscrew run`.")
@click.option(
    "--kubeconfig", default="", envvar="KUBECONFIG", help="The reconciler's identity: its rights are examined."
)
@context_option
@click.option("--canary-kubeconfig", default="", help="The identity that must be refused: proves that the guard sees.")
@click.option("--url", default="", help="Where the API server reaches the webhook; default: as it is registered.")
@given_certificate
@output_option("table", "json", "yaml", default="table")
def doctor(
    *,
    in_cluster: bool,
    preflight: bool,
    overlay: str,
    state_dir: Path | None,
    kubeconfig: str,
    kube_context: str,
    canary_kubeconfig: str,
    url: str,
    output: str,
    given: GivenFiles | None,
) -> None:
    r"""Examine an installation: reached, registered, trusted, allowed to work? Each problem with its fix.

    Changes nothing. What cannot be looked at is unknown, and says what is missing.

    Exit status: 0 no problem (warnings may be there), 1 a problem, 3 none as far as could be looked: the cluster or
    the state directory was not there to be asked.

    \b
    setscrew doctor --state ./state --kubeconfig reconciler.kubeconfig --canary-kubeconfig canary.kubeconfig
    setscrew doctor --in-cluster
    setscrew doctor --preflight
    """
    if preflight:
        _preflight(ApiClient.load(kubeconfig, kube_context), overlay, output)
        return
    where = Where(None if in_cluster else state_dir, kubeconfig, canary_kubeconfig, url, given, kube_context)
    facts = gather(where)
    if in_cluster:
        installed = look(ApiClient.load(kubeconfig, kube_context))
        findings, seen = examine_installed(installed, facts), not isinstance(installed.deployment, Missing)
    else:
        findings, seen = examine(facts), facts.seen
    found = {"summary": summary(findings), "findings": [one.as_json() for one in findings]}
    if output == "json":
        print_json(found)
    elif output == "yaml":
        print_yaml([found])
    else:
        _print_table(findings)
    finish(status(findings, seen=seen))


def _preflight(client: ApiClient, overlay: str, output: str) -> None:
    from setscrew.installing.ground import survey
    from setscrew.installing.preflight import checks
    from setscrew.installing.prepare import prepared
    from setscrew.installing.server import Server
    from setscrew.installing.settings import Settings

    server = Server(client)
    plan = prepared(server, Settings(overlay))
    found = checks(survey(server, plan.documents, registers=plan.registers))
    if output == "table":
        rows = [
            (one.code, one.check, Text(one.state, _STYLES[one.state]), list(filter(None, _lines(one)))) for one in found
        ]
        print_rows(("CODE", "CHECK", "STATE", "FOUND"), rows)
    else:
        told = {"findings": [one.as_json() for one in found]}
        print_json(told) if output == "json" else print_yaml([told])
    finish(3 if any(one.state == "problem" for one in found) else 0)


def _lines(one: Preflight) -> Iterator[str]:
    yield one.what
    yield one.why
    yield f"→ {one.fix}" if one.fix else ""


def _print_table(findings: list[Finding]) -> None:
    rows = []
    for one in findings:
        told = one.as_json()
        fix = [f"→ {told['fix']}"] if told["fix"] else []
        rows.append((told["check"], Text(one.state, _STYLES[one.state]), [told["what"], *fix]))
    print_rows(("CHECK", "STATE", "FOUND"), rows)
