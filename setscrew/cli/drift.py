"""Owns the command `drift`: options in, the report of a running instance out. Must not compute findings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from reconciler.errors import SetscrewError
from reconciler.limits import REPORT_PAGE, REPORT_PAGE_MAX
from reconciler.report.drift import STATES
from setscrew.cli.instance import address

_STALE_STATUS = 5
_FORMATS = ("table", "json", "yaml", "diff")
_EPILOG = """\b
Examples:
  setscrew drift                               what differs now, who changed it, where Git declares it
  setscrew drift -n shop --kind Deployment     one namespace, one kind
  setscrew drift --only missing                objects that Git declares and the cluster lacks
  setscrew drift -o diff | less                wanted (-) against live (+), field by field
  setscrew drift -o json | jq '.items[].name'  for programs
  setscrew drift --server http://10.0.0.5:8080 --token-file token    another machine's

\b
Exit status: 0 no drift, 1 drift, 2 wrong use, 3 the server does not answer,
5 nothing found, but the report is stale and proves nothing."""


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-n", "--namespace", help="Only this namespace.")
@click.option("--kind", help="Only this kind, such as Deployment (in any case).")
@click.option("--name", help="Only objects of this name.")
@click.option("--source", help="Only what this source declares.")
@click.option("--only", "finding_state", type=click.Choice(STATES[:-1]), help="Only findings in this state.")
@click.option("--limit", type=click.IntRange(1, REPORT_PAGE_MAX), default=REPORT_PAGE, show_default=True)
@click.option("-o", "--output", type=click.Choice(_FORMATS), default="table", show_default=True)
@click.option("--server", metavar="URL", help="API server; default: the one of the state directory.")
@click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), help="File with its token.")
@click.option(
    "--state",
    "state_dir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=["SETSCREW_STATE", "SETSCREW_STATE_DIR"],
    help="State directory of `setscrew run`; default: $SETSCREW_STATE.",
)
def drift(
    output: str, server: str | None, token_file: Path | None, state_dir: Path | None, limit: int, **filters: str | None
) -> None:
    """Show where the cluster is not as Git says, since when, and who did it.

    Asks a running instance (`setscrew run`); nothing is changed. Values of Secrets are never shown: they appear as ***.
    """
    try:
        report = _fetch(server, token_file, state_dir, filters, limit)
    except SetscrewError as error:
        click.echo(f"setscrew: {error}", err=True)
        sys.exit(error.exit_status)
    print_report(report, output)
    metadata = report["metadata"]
    if metadata.get("stale"):
        click.echo(f"setscrew: the report is stale: {metadata.get('staleReason')}", err=True)
    sys.exit(1 if report["items"] else _STALE_STATUS if metadata.get("stale") else 0)


def _fetch(
    server: str | None, token_file: Path | None, state_dir: Path | None, filters: dict[str, str | None], limit: int
) -> dict[str, Any]:
    from setscrew.api_client import UnreachableError, get_json
    from setscrew.api_files import read_token

    url, token_path = address(server, token_file, state_dir)
    query = {("state" if key == "finding_state" else key): value for key, value in filters.items() if value}
    report = get_json(url, read_token(token_path), "/api/v1/drift", query | {"limit": str(limit)})
    if not isinstance(report.get("items"), list) or not isinstance(report.get("metadata"), dict):
        raise UnreachableError("this is not a drift report", where=url)
    return report


def print_report(report: dict[str, Any], output: str) -> None:
    """Print a DriftList in one of the formats of `drift` and `diff`."""
    if output == "json":
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    elif output == "yaml":
        import msgspec

        click.echo(msgspec.yaml.encode(report).decode(), nl=False)
    else:
        from setscrew.cli.drift_text import print_diff, print_table

        (print_diff if output == "diff" else print_table)(report)
