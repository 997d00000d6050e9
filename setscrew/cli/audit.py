"""Owns the commands below `audit`: the record of decisions, listed and checked. Must not alter a record."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from reconciler.limits import REPORT_PAGE, REPORT_PAGE_MAX
from reconciler.model.own import API_VERSION
from reconciler.report.printable import one_line, printable
from reconciler.store.chain import Head
from reconciler.store.decisions import read_decisions
from reconciler.store.verify import Verification
from reconciler.store.verify import verify as verified
from setscrew.cli.common import finish, note, output_option, print_json, state_option
from setscrew.cli.trail import Since, print_decisions
from setscrew.store import existing_store

_HEAD = re.compile(r"(\d{1,15}):([0-9a-f]{64})")
_SHOWN = 20


@click.group()
def audit() -> None:
    r"""The record of decisions: who asked for what, and what was answered.

    \b
    setscrew audit list --user dana --since 12h
    setscrew audit verify
    """


class _HeadType(click.ParamType[Head]):
    name = "head"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Head:
        found = _HEAD.fullmatch(value) or self.fail(
            "expected SEQ:HASH, as `setscrew audit verify` prints it", param, ctx
        )
        return Head(int(found[1]), found[2])


@audit.command()
@click.option(
    "--head",
    type=_HeadType(),
    metavar="SEQ:HASH",
    help="A head that was noted elsewhere before: it must be in the chain.",
)
@state_option
@output_option("text", "json", default="text")
def verify(head: Head | None, state_dir: Path, output: str) -> None:
    r"""Check that no record of a decision was changed, put in, or taken away.

    Prints the head of the chain. Keep it on another machine and give it back with --head: whoever can write the state
    directory can make a whole chain anew, but none that ends in a head that was noted before.

    Exit status: 0 whole, 1 broken, more is an error. Gaps are records that never arrived: they are told, and break
    nothing.

    \b
    setscrew audit verify --state ./state
    setscrew audit verify --head 1204:5f0c…    a head of last week
    """
    with existing_store(state_dir) as state:
        found = verified(state, head)
    if output == "json":
        print_json(_as_json(found))
    else:
        _print(found)
    finish(0 if found.whole else 1)


@audit.command("list")
@click.option("-n", "--namespace", help="Only objects in this namespace.")
@click.option("--kind", help="Only this kind, such as Deployment (in any case).")
@click.option("--name", help="Only objects of this name.")
@click.option("--user", help="Only what this user asked for.")
@click.option("--code", help="Only this code, such as drift; gap and cut are records that are missing.")
@click.option("--source", help="Only what this source declares.")
@click.option("--policy", help="Only what this policy decided.")
@click.option("--since", type=Since(), help="Only since then: 7d, 36h, or a time.")
@click.option("--limit", type=click.IntRange(1, REPORT_PAGE_MAX), default=REPORT_PAGE, show_default=True)
@state_option
@output_option("table", "json", default="table")
def list_decisions(since: str | None, limit: int, state_dir: Path, output: str, **filters: str | None) -> None:
    """List recorded decisions, newest first. Exit status 0, also if there are none."""
    with existing_store(state_dir) as state:
        chosen = {key: value for key, value in filters.items() if value}
        found, total = read_decisions(state, chosen, limit, since or "")
    left = total - len(found)
    if output == "json":
        items = [printable(one) for one in found]
        metadata = {"remainingItemCount": left}
        print_json({"apiVersion": API_VERSION, "kind": "DecisionList", "metadata": metadata, "items": items})
        return
    if found:
        print_decisions(found)
    note(["no decision is recorded"] if not found else [f"{left} more are not shown: raise --limit"] if left else [])


def _as_json(found: Verification) -> dict[str, Any]:
    return {
        "whole": found.whole,
        "records": found.records,
        "first": one_line(found.first),
        "last": one_line(found.last),
        "head": f"{found.head.seq}:{found.head.hash}",
        "breaks": [printable(asdict(one)) for one in found.breaks],
        "lost": found.lost,
        "gaps": [printable(asdict(one)) for one in found.gaps],
    }


def _print(found: Verification) -> None:
    between = f", from {one_line(found.first)} to {one_line(found.last)}" if found.records else ""
    click.echo(f"{found.records} records{between}: {'whole' if found.whole else 'BROKEN'}")
    for one in found.breaks[:_SHOWN]:
        click.echo(f"  record {one.seq}{_at(one.time)}: {one_line(one.reason)}")
    if len(found.breaks) > _SHOWN:
        click.echo(f"  … and {len(found.breaks) - _SHOWN} more places")
    if found.lost:
        click.echo(f"{found.lost} records were lost, and the trail says where:")
    for gap in found.gaps[:_SHOWN]:
        click.echo(f"  before record {gap.seq + 1}{_at(gap.time)}: {gap.lost} never arrived")
    click.echo(f"head {found.head.seq}:{one_line(found.head.hash)}")


def _at(time: str) -> str:
    return f" ({one_line(time)})" if time else ""
