"""Owns the command `setscrew`: its groups, common options and how errors end. Must not do the work of a command.

Data goes to stdout, talk to stderr. Exit status as `kubectl diff`: 0 same or allowed, 1 drift or denied, more: error.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

import click

from reconciler.errors import SetscrewError

_COMMANDS: Final = {
    "canonical": ("setscrew.cli.forms", "canonical"),
    "compare": ("setscrew.cli.compare", "compare"),
    "demo": ("setscrew.cli.demo", "demo"),
    "diff": ("setscrew.cli.diff", "diff"),
    "drift": ("setscrew.cli.drift", "drift"),
    "explain": ("setscrew.cli.explain", "explain"),
    "reconcile": ("setscrew.cli.run", "reconcile"),
    "register": ("setscrew.cli.register", "register"),
    "render": ("setscrew.cli.forms", "render"),
    "review": ("setscrew.cli.review", "review"),
    "run": ("setscrew.cli.run", "run"),
    "serve": ("setscrew.cli.run", "serve"),
}


class _Group(click.Group):
    """Imports a command when it is asked for, so that each starts fast; prints errors as one clear line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All commands, sorted."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of that name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return _verbatim(command)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a SetscrewError becomes its line and its exit status."""
        try:
            return super().invoke(ctx)
        except SetscrewError as error:
            click.echo(f"setscrew: {error}", err=True)
            sys.exit(error.exit_status)


def _verbatim(command: click.Command) -> click.Command:
    """Docstrings are raw, so click's mark of a paragraph to be left as it stands is two characters there."""
    command.help = (command.help or "").replace("\\b\n", "\b\n").replace("\\\\\n", "\\\n")
    return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="setscrew", prog_name="setscrew")
def main() -> None:
    r"""Who may change what Git manages? Setscrew holds a Kubernetes cluster to Git.

    \b
    See it work:          setscrew demo
    Before a push:        setscrew render PATH, setscrew diff PATH, setscrew review --desired DIR < review.json
    On a cluster:         setscrew run, setscrew drift, setscrew explain deployment/web -n shop
    The off-switch:       setscrew register --remove

    Exit status: 0 same or allowed, 1 drift or denied, more is an error.
    """


_verbatim(main)
