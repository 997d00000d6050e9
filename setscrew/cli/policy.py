"""Owns the commands below `policy`: what another action would have done. Must not change a policy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from reconciler.limits import REPORT_PAGE, REPORT_PAGE_MAX
from reconciler.policy.model import Action
from reconciler.report.printable import one_line, printable
from reconciler.report.rehearsal import Rehearsal, rehearse
from reconciler.store.decisions import Span, span, walk_decisions
from setscrew.cli.common import finish, note, output_option, print_json, state_option
from setscrew.cli.table import print_rows
from setscrew.cli.trail import Since, print_decisions
from setscrew.store import existing_store

_COUNTED = 10


@click.group()
def policy() -> None:
    r"""Policies: try an action before it counts.

    \b
    setscrew policy try --action Deny --since 7d
    """


@policy.command("try")
@click.option("--action", type=click.Choice(["Deny", "Warn", "Audit"]), required=True, help="The action to rehearse.")
@click.option("--since", type=Since(), default="7d", show_default=True, help="Since then: 7d, 36h, or a time.")
@click.option("--source", help="Only objects that this source declares.")
@click.option("--policy", help="Only what this policy decided.")
@click.option("--limit", type=click.IntRange(1, REPORT_PAGE_MAX), default=REPORT_PAGE, show_default=True)
@state_option
@output_option("table", "json", default="table")
def try_action(action: Action, since: str, limit: int, state_dir: Path, output: str, **filters: str | None) -> None:
    r"""Rehearse ACTION on the decisions that were recorded: which would have been answered otherwise.

    Deny lists what was admitted and would have been refused; Warn and Audit list what was refused and would have been
    admitted. Counted are objects, users and codes; the last decisions are listed. Nothing is judged anew.

    Exit status: 0 nothing would have been answered otherwise, 1 something would, more is an error.

    \b
    setscrew policy try --action Deny --since 7d --source shop
    setscrew policy try --action Warn --policy gpu -o json
    """
    chosen = {key: value for key, value in filters.items() if value}
    with existing_store(state_dir) as state:
        looked = span(state, chosen, since)
        walk = walk_decisions(state, chosen, since, refused=action != "Deny")
        found = rehearse(walk, action, limit)
    if output == "json":
        print_json(_as_json(found, looked, since))
    else:
        print_rehearsal(found, looked, since)
    finish(1 if found.turned else 0)


def _as_json(found: Rehearsal, looked: Span, since: str) -> dict[str, Any]:
    names = {"object": found.objects, "user": found.users, "code": found.codes, "answer": found.answers}
    return {
        "action": found.action,
        "since": since,
        "first": one_line(looked.first),
        "last": one_line(looked.last),
        "decisions": looked.decisions,
        "lost": looked.lost,
        "turned": found.turned,
        "counts": {name: _counted(name, counter) for name, counter in names.items()},
        "items": [printable(dict(one)) for one in reversed(found.latest)],
    }


def _counted(name: str, counter: Counter[str]) -> list[dict[str, Any]]:
    return [{name: one_line(key), "count": count} for key, count in counter.most_common(REPORT_PAGE_MAX)]


def print_rehearsal(found: Rehearsal, looked: Span, since: str) -> None:
    """For people: how many, which objects, who, and the last of them."""
    end = "refused" if found.action == "Deny" else "admitted"
    period = f" (from {one_line(looked.first)} to {one_line(looked.last)})" if looked.decisions else ""
    click.echo(
        f"With action {found.action} {found.turned} of {looked.decisions} decisions since {since}{period} "
        f"would have been {end}."
    )
    if looked.lost:
        click.echo(f"{looked.lost} records of that time are missing, so it may be more.")
    if later := found.answers["not-adopted"]:
        click.echo(f"{later} of them only once it is enforced: its source is only watched, or it is not adopted.")
    for title, counter in (("OBJECT", found.objects), ("WHO", found.users), ("CODE", found.codes)):
        if counter:
            click.echo()
            print_rows((title, "DECISIONS"), [(key, str(count)) for key, count in counter.most_common(_COUNTED)])
            note([f"{len(counter) - _COUNTED} more are not shown: -o json"] if len(counter) > _COUNTED else [])
    if found.latest:
        click.echo()
        print_decisions(reversed(found.latest))
        left = found.turned - len(found.latest)
        note([f"{left} earlier ones are not listed: raise --limit"] if left else [])
