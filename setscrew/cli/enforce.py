"""Owns the command `enforce`: it asks the running reconciler to enforce sources, or only to watch them.

Must not write to the state store itself: what is enforced has one writer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from reconciler.errors import UsageError
from setscrew.cli.common import note, output_option, print_json, state_option
from setscrew.cli.instance import ask

_MEANING: Final = {
    "enforced": "changes away from Git are refused",
    "watched": "nothing of it is refused; what would be is recorded",
}


@click.command()
@click.argument("sources", metavar="[SOURCE]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every configured source.")
@click.option("--off", "--watch", "off", is_flag=True, help="Undo it: refuse nothing of the source, only watch it.")
@state_option
@output_option("text", "json", default="text")
def enforce(sources: tuple[str, ...], every: bool, off: bool, state_dir: Path, output: str) -> None:
    r"""Enforce SOURCE from now on: all of it, also objects that differ from Git. Prints the mode before and after.

    A new source on a cluster that differs from it is only watched until then. What differs blocks nothing: it stays in
    the report until somebody applies what Git says. It survives restarts, and needs a running `setscrew run`.

    \b
    setscrew enforce shop --state ./state
    setscrew enforce shop --off             watch it again
    """
    if bool(sources) == every:
        raise UsageError("name the sources, or give --all", hint="setscrew enforce shop")
    answer = next(ask(state_dir, {"op": "switch", "sources": list(sources), "enforced": not off}))
    modes: dict[str, list[str]] = answer["modes"]
    if output == "json":
        print_json({"sources": [{"name": name, "before": was, "after": now} for name, (was, now) in modes.items()]})
        return
    for name, (was, now) in modes.items():
        click.echo(f"{name}: {was} → {now}" if was != now else f"{name}: {now}, as before")
    note(f"{mode}: {_MEANING[mode]}" for mode in sorted({now for _, now in modes.values()}))
    note(
        [f"in force with snapshot {answer['digest'][:12]}" if answer["digest"] else "in force as soon as Git was read"]
    )
