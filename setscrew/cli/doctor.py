"""Owns the command `doctor`: the health of an installation, each problem with its fix. Must not repair anything."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
from rich.text import Text

from setscrew.cli.certificates import given_certificate
from setscrew.cli.common import PATH, finish, output_option, print_json, print_yaml
from setscrew.cli.table import print_rows
from setscrew.doctor.examine import examine
from setscrew.doctor.finding import Finding, State, status, summary
from setscrew.doctor.gather import Where, gather
from webhook.tls.given import GivenFiles

_STYLES: Final[dict[State, str]] = {"ok": "green", "warning": "yellow", "problem": "bold red", "unknown": "magenta"}


@click.command()
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory of `setscrew run`.")
@click.option(
    "--kubeconfig", default="", envvar="KUBECONFIG", help="The reconciler's identity: its rights are examined."
)
@click.option("--canary-kubeconfig", default="", help="The identity that must be refused: proves that the guard sees.")
@click.option("--url", default="", help="Where the API server reaches the webhook; default: as it is registered.")
@given_certificate
@output_option("table", "json", "yaml", default="table")
def doctor(
    state_dir: Path | None,
    kubeconfig: str,
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
    """
    facts = gather(Where(state_dir, kubeconfig, canary_kubeconfig, url, given))
    findings = examine(facts)
    found = {"summary": summary(findings), "findings": [one.as_json() for one in findings]}
    if output == "json":
        print_json(found)
    elif output == "yaml":
        print_yaml([found])
    else:
        _print_table(findings)
    finish(status(findings, seen=facts.seen))


def _print_table(findings: list[Finding]) -> None:
    rows = []
    for one in findings:
        told = one.as_json()
        fix = [f"→ {told['fix']}"] if told["fix"] else []
        rows.append((told["check"], Text(one.state, _STYLES[one.state]), [told["what"], *fix]))
    print_rows(("CHECK", "STATE", "FOUND"), rows)
