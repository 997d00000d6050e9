"""Owns the command `drift`: options in, the report of a running instance out. Must not compute findings."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from reconciler.errors import SetscrewError, UsageError
from reconciler.limits import REPORT_PAGE
from reconciler.report.drift import SEVERITIES, STATES
from reconciler.report.formats import words
from reconciler.report.query import SORTS, parse_limit
from setscrew.cli.drift_named import Target, parse_target, without
from setscrew.cli.drift_out import FORMATS, PASSING, SUMMED, print_report, print_summary
from setscrew.cli.drift_read import Asked, Instance
from setscrew.cli.instance import address

F = TypeVar("F", bound=Callable[..., Any])
_STALE_STATUS: Final = 5
_WATCH_SECONDS: Final = 2.0
# As many as fit a screen, where nobody says how many; a file holds all.
_PAGED: Final = ("table", "wide", "json", "yaml")
_EPILOG = """\b
Examples:
  setscrew drift                               what differs now, who changed it, where Git declares it
  setscrew drift deploy/web -n shop            one object; says also that it is as Git says
  setscrew drift -n shop --kind Deployment     one namespace, one kind
  setscrew drift --only missing                objects that Git declares and the cluster lacks
  setscrew drift --min-age 1h --sort severity  what has lasted, the worst first
  setscrew drift -o diff | less                wanted (-) against live (+), field by field
  setscrew drift -o json | jq '.items[].name'  for programs
  setscrew drift -o sarif > drift.sarif        for a code host; -o junit for CI, -o csv for a sheet
  setscrew drift --by namespace --labels team  how much, since when, who most
  setscrew drift --fail-on high                in CI: drift that is less severe passes
  setscrew drift --server http://10.0.0.5:8080 --token-file token    another machine's

\b
Exit status: 0 no drift, 1 drift, 2 wrong use, 3 the server does not answer,
5 nothing found, but that proves nothing: the report is stale, or no enforced
source declares what was named."""

# Name of the option's value, option, help; each is a parameter of the API of that name.
_FILTERS: Final = (
    ("namespace", ("-n", "--namespace"), "Only this namespace."),
    ("kind", ("--kind",), "Only this kind, such as Deployment (in any case)."),
    ("group", ("--group",), "Only this API group."),
    ("name", ("--name",), "Only objects of this name."),
    ("source", ("--source",), "Only what this source declares."),
    ("owner", ("--owner",), "Only what this team owns."),
    ("search", ("--search",), "Only where kind, namespace, name or source hold this text."),
    ("labelSelector", ("-l", "--selector"), "Only namespaces with these labels, as kubectl takes them."),
    ("fieldSelector", ("--field-selector",), "Only findings with these members, such as attribution.user=dana."),
    (
        "since",
        ("--since",),
        "Only what began then or later: a time, or how long ago. With --by: refused changes since.",
    ),
    ("until", ("--until",), "Only what began then or earlier."),
    ("minAge", ("--min-age",), "Only what has lasted so long, such as 1h or 7d."),
)


def _filters(command: F) -> F:
    """The options that choose findings."""
    choices = (
        click.option("--only", "state", type=click.Choice(STATES), help="Only objects in this state."),
        click.option("--severity", type=click.Choice(SEVERITIES), help="Only findings of this severity."),
        click.option("--sort", type=click.Choice([sign + one for one in SORTS for sign in ("", "-")]), help="Order."),
    )
    plain = (click.option(*names, key, help=text) for key, names, text in _FILTERS)
    for option in reversed((*plain, *choices)):
        command = option(command)
    return command


def _instance(command: F) -> F:
    """The options that say which instance is asked."""
    for option in (
        click.option(
            "--state",
            "state_dir",
            metavar="DIR",
            type=click.Path(path_type=Path, file_okay=False),
            envvar=["SETSCREW_STATE", "SETSCREW_STATE_DIR"],
            help="State directory of `setscrew run`; default: $SETSCREW_STATE.",
        ),
        click.option("--token-file", type=click.Path(path_type=Path, dir_okay=False), help="File with its token."),
        click.option("--server", metavar="URL", help="API server; default: the one of the state directory."),
    ):
        command = option(command)
    return command


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("targets", metavar="[KIND/NAME]...", nargs=-1)
@_filters
@click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces, as without -n.")
@click.option("--include-ignored", is_flag=True, help="Also fields that rules hide, in json, yaml, ndjson and diff.")
@click.option("--limit", metavar="N|all", help=f"How many; {REPORT_PAGE} on a screen, all in a file.")
@click.option("--by", help="Count by namespace, owner, cost-center, source, kind, cluster or label:KEY.")
@click.option("--labels", help="With --by namespace: labels of namespaces as columns, such as team,cost_center.")
@click.option("-o", "--output", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("-w", "--watch", is_flag=True, help="Go on, and print again what has changed.")
@click.option("--exit-zero", is_flag=True, help="Exit status 0 also where there is drift, or the report is stale.")
@click.option("--fail-on", type=click.Choice(SEVERITIES), help="Exit status 1 only for this severity or a worse one.")
@_instance
def drift(
    targets: tuple[str, ...],
    output: str,
    server: str | None,
    token_file: Path | None,
    state_dir: Path | None,
    limit: str | None,
    by: str | None,
    labels: str | None,
    watch: bool,
    exit_zero: bool,
    fail_on: str | None,
    all_namespaces: bool,
    include_ignored: bool,
    **filters: str | None,
) -> None:
    """Show where the cluster is not as Git says, since when, and who did it.

    Asks a running instance (`setscrew run`); nothing is changed. Values of Secrets are never shown: they appear as ***.
    """
    chosen = {name: value for name, value in filters.items() if value}
    chosen |= {"includeIgnored": "true"} if include_ignored else {}
    try:
        if all_namespaces and "namespace" in chosen:
            raise UsageError("-A and -n are two questions", hint="ask one after the other")
        if targets and (unfit := [name for name in chosen if name in ("kind", "group", "name")]):
            raise UsageError("KIND/NAME says it all", where=f"--{unfit[0]}", hint=f"leave --{unfit[0]} out")
        named = tuple(map(parse_target, targets))
        instance = _known(server, token_file, state_dir)
        if by or labels:
            beside = (("--watch", watch), ("--limit", limit), ("KIND/NAME", targets))
            if unfit := [name for name, given in beside if given]:
                raise UsageError("--by counts all findings, once", where=unfit[0], hint=f"leave {unfit[0]} out")
            asked = {"by": by or "namespace", **({"labels": labels} if labels else {})}
            status = _summed(instance, output, asked, chosen, fail_on)
        else:
            wanted = parse_limit(limit) if limit else (REPORT_PAGE if output in _PAGED else None)
            show = _Shown(Asked(instance, chosen, named), output, wanted, fail_on)
            status = show.watched() if watch else show.once()
    except SetscrewError as error:
        click.echo(f"setscrew: {error}", err=True)
        sys.exit(error.exit_status)
    sys.exit(0 if exit_zero else status)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is asked for, and how it is shown. `limit` None is all."""

    asked: Asked
    output: str
    limit: int | None
    fail_on: str | None

    def once(self) -> int:
        """Ask and print; returns the exit status."""
        report, _ = self._read("")
        return self._print(report or {})

    def watched(self) -> int:
        """Print whatever changes until somebody interrupts it, or the server does not answer."""
        tag = ""
        while True:
            report, tag = self._read(tag)
            if report is not None:
                self._print(report)
                sys.stdout.flush()
            time.sleep(_WATCH_SECONDS)

    def _read(self, tag: str) -> tuple[dict[str, Any] | None, str]:
        # Whether a severe one is among those that are not shown can be told from all of them only.
        return self.asked.report(None if self.fail_on else self.limit, tag)

    def _print(self, report: dict[str, Any]) -> int:
        items = report["items"]
        if self.limit is not None and len(items) > self.limit:
            report["metadata"]["remainingItemCount"] += len(items) - self.limit
            report["items"] = items[: self.limit]
        beside = self.asked.in_sync() if self.output in PASSING and self.limit is None else []
        print_report(report | {"items": [*report["items"], *beside]}, self.output)
        status = _status(report["metadata"], found=any(_counts(item, self.fail_on) for item in items))
        return status or self._named(without(items, self.asked.targets))

    def _named(self, targets: list[Target]) -> int:
        """What is to be said of objects of which nothing was found, and the exit status."""
        known = self.asked.known_in_sync(targets)
        unknown = without(known, targets)
        for item in known:
            click.echo(f"{words.object_name(item)} is as Git says.", err=True)
        for one in unknown:
            click.echo(f"setscrew: no enforced source declares {one}: that nothing is found proves nothing", err=True)
        return _STALE_STATUS if unknown else 0


def _summed(
    instance: Instance, output: str, asked: dict[str, str], filters: Mapping[str, str], fail_on: str | None
) -> int:
    from setscrew.api_client import get_json

    if output not in SUMMED:
        raise UsageError(f"--by goes with -o {', '.join(SUMMED)}", where=f"-o {output}")
    if unfit := [name for name in filters if name != "since"]:
        raise UsageError("--by counts all findings", where=unfit[0], hint="leave the filters out")
    since = {name: value for name, value in filters.items() if name == "since"}
    summary = get_json(instance.url, instance.token, "/api/v1/drift/summary", asked | since)
    print_summary(summary, output)
    severities = summary["total"]["severity"].items()
    return _status(
        summary["metadata"], found=any(count and _counts({"severity": name}, fail_on) for name, count in severities)
    )


def _known(server: str | None, token_file: Path | None, state_dir: Path | None) -> Instance:
    from setscrew.api_files import read_token

    url, token_path = address(server, token_file, state_dir)
    return Instance(url, read_token(token_path))


def _counts(item: Mapping[str, Any], fail_on: str | None) -> bool:
    """True for a finding that makes the exit status 1."""
    if item.get("state") == words.IN_SYNC or fail_on is None:
        return item.get("state") != words.IN_SYNC
    worst: dict[str, int] = {name: place for place, name in enumerate(SEVERITIES)}
    return worst.get(str(item.get("severity")), 0) <= worst[fail_on]


def _status(metadata: Mapping[str, Any], *, found: bool) -> int:
    if metadata.get("stale"):
        click.echo(f"setscrew: the report is stale: {metadata.get('staleReason')}", err=True)
    return 1 if found else _STALE_STATUS if metadata.get("stale") else 0
