"""Owns the command `uninstall`: its options, the question whether it is meant, and what is told. Must not delete."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, Final

import click

from reconciler.cluster.api import ApiClient
from reconciler.model.ref import ObjectRef
from setscrew.cli.common import note, output_option, print_json
from setscrew.cli.install import reach_options
from setscrew.installing import kustomize
from setscrew.installing.errors import LeftError, UnconfirmedError, WaitError
from setscrew.installing.objects import shown
from setscrew.installing.removal import DEFINITIONS, Step
from setscrew.installing.removing import Removing
from setscrew.installing.server import Server
from setscrew.installing.waiting import Patience

_TIMEOUT_SECONDS: Final = 120


@click.command()
@click.option("--purge", is_flag=True, help="Also what people wrote: GitSources, policies, grants, credentials.")
@click.option("--yes", is_flag=True, help="It is meant: do not ask.")
@click.option("--dry-run", is_flag=True, help="Print what would be removed, in order, and remove nothing.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=_TIMEOUT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long each step may take.",
)
@reach_options
@output_option("text", "json", default="text")
def uninstall(**options: Any) -> None:
    r"""Remove Setscrew from a cluster: first nothing is refused any more, then goes the rest, and nothing is left.

    It works while the guard is down, on half an installation, and twice. What people wrote stays without --purge:
    definitions, GitSources, DriftPolicies and DriftGrants, and Secrets and ConfigMaps of theirs in setscrew-system.

    \b
    setscrew uninstall --dry-run --purge
    setscrew uninstall --purge --yes
    """
    server = Server(ApiClient.load(options["kubeconfig"], options["kube_context"]))
    text = options["output"] == "text"
    done: list[tuple[ObjectRef, str]] = []

    def tell(ref: ObjectRef, outcome: str) -> None:
        done.append((ref, outcome))
        if text:
            click.echo(f"{shown(ref)} {outcome}")

    run = Removing(server, tell, Patience(options["timeout"], lambda line: note([line])))
    planned, kept = run.plan(kustomize.everything(), purge=options["purge"])
    if options["dry_run"]:
        _print_plan(server, planned, kept, text=text)
        return
    _confirm(options["yes"], server, purge=options["purge"])
    try:
        run.run(planned)
    except KeyboardInterrupt:
        note(["broken off, part of it is gone: the same command goes on from there"])
        raise
    left = _left(run, planned, kept)
    if not text:
        told = [{"object": str(ref), "outcome": outcome} for ref, outcome in done]
        print_json({"objects": told, "kept": list(map(str, kept)), "left": left, "troubles": run.troubles})
    _tell_kept(kept)
    if left or run.troubles:
        note(f"left: {one}" for one in left)
        # What was in the way at first, and is gone now, is no trouble any more.
        note(run.troubles if left else ())
    if left:
        hint = "mend what holds them, and run it again"
        raise LeftError(f"{len(left)} objects are left", where=server.client.server, hint=hint)
    note([_end(server, kept)])


def _end(server: Server, kept: list[ObjectRef]) -> str:
    """What is left on purpose, in one line."""
    if kept:
        return "nothing of Setscrew is left but what people wrote"
    if any(server.read(ref) is not None for ref in DEFINITIONS):
        return "nothing of Setscrew is left but its definitions, without an object; --purge removes them, too"
    return "nothing of Setscrew is left"


def _print_plan(server: Server, planned: list[Step], kept: list[ObjectRef], *, text: bool) -> None:
    there = [(step.title, [ref for ref in step.refs if server.read(ref) is not None]) for step in planned]
    if not text:
        print_json({"steps": [{"step": title, "objects": list(map(str, refs))} for title, refs in there if refs]})
    else:
        for title, refs in there:
            for ref in refs:
                click.echo(f"{title}: {shown(ref)} would be deleted")
    _tell_kept(kept)


def _tell_kept(kept: list[ObjectRef]) -> None:
    note(f"kept, for people wrote it: {shown(ref)}" for ref in kept)
    note(["the definitions are kept, too; --purge removes all of it"] if kept else [])


def _confirm(yes: bool, server: Server, *, purge: bool) -> None:
    """Raises UnconfirmedError where nobody says that it is meant."""
    if yes:
        return
    what = f"remove Setscrew from {server.client.server}" + (" with all that people wrote" if purge else "")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UnconfirmedError(f"nobody says that it is meant: {what}", hint="add --yes; --dry-run prints what goes")
    if not click.confirm(f"setscrew: {what}?", err=True):
        raise UnconfirmedError("nothing was removed")


def _left(run: Removing, planned: list[Step], kept: list[ObjectRef]) -> list[str]:
    """What is left once the garbage collector has had its time, too."""
    found: list[str] = []

    def some() -> str:
        found[:] = run.left(planned, kept)
        return "; ".join(found)

    with suppress(WaitError):
        run.patience.until(some, "", "")
    return found
