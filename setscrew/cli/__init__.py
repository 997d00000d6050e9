"""Owns the command `setscrew`: its groups, common options and how errors end. Must not do the work of a command.

Data goes to stdout, talk to stderr. Exit status as `kubectl diff`: 0 same or allowed, 1 drift or denied, more: error.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click

from reconciler.errors import InternalError, SetscrewError, UsageError

INTERRUPTED: Final = 130
READER_GONE: Final = 141

_COMMANDS: Final = {
    "adopt": ("setscrew.cli.adopt", "adopt"),
    "audit": ("setscrew.cli.audit", "audit"),
    "canonical": ("setscrew.cli.forms", "canonical"),
    "check": ("setscrew.cli.check", "check"),
    "check-access": ("setscrew.cli.check_access", "check_access"),
    "compare": ("setscrew.cli.compare", "compare"),
    "completion": ("setscrew.cli.completing", "completion"),
    "demo": ("setscrew.cli.demo", "demo"),
    "diff": ("setscrew.cli.diff", "diff"),
    "doctor": ("setscrew.cli.doctor", "doctor"),
    "drift": ("setscrew.cli.drift", "drift"),
    "enforce": ("setscrew.cli.enforce", "enforce"),
    "explain": ("setscrew.cli.explain", "explain"),
    "gpu": ("setscrew.cli.gpu", "gpu"),
    "grant": ("setscrew.cli.grant", "grant"),
    "install": ("setscrew.cli.install", "install"),
    "policy": ("setscrew.cli.policy", "policy"),
    "receiver": ("setscrew.cli.receiver", "receiver"),
    "reconcile": ("setscrew.cli.run", "reconcile"),
    "register": ("setscrew.cli.register", "register"),
    "render": ("setscrew.cli.forms", "render"),
    "review": ("setscrew.cli.review", "review"),
    "rollout": ("setscrew.cli.rollout", "rollout"),
    "rules": ("setscrew.cli.rules", "rules"),
    "run": ("setscrew.cli.run", "run"),
    "serve": ("setscrew.cli.run", "serve"),
    "source": ("setscrew.cli.source", "source"),
    "support-bundle": ("setscrew.cli.support", "support_bundle"),
    "uninstall": ("setscrew.cli.uninstall", "uninstall"),
    "upgrade": ("setscrew.cli.install", "upgrade"),
    "who": ("setscrew.cli.who", "who"),
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
        """Run the command; a reader that has gone (`| head`) is no drift either."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Python flushes once more at its end, and would complain there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(READER_GONE)

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run a command and end with its status; whatever goes wrong is one line, and never looks like drift (1)."""
        try:
            status = super().main(args, **{**extra, "prog_name": _called(), "standalone_mode": False})
        except Exception as error:  # noqa: BLE001 - Python's own status for what nobody catches is 1, which means drift
            sys.exit(_told(error))
        sys.exit(status if isinstance(status, int) else 0)


def _called() -> str:
    """How the person who runs it has called it: kubectl finds its plugins by their names."""
    return "kubectl setscrew" if os.path.basename(sys.argv[0]) == "kubectl-setscrew" else "setscrew"  # noqa: PTH119 - a name


def _told(error: Exception) -> int:
    """Say what went wrong; returns the exit status."""
    if isinstance(error, SetscrewError):
        return _line(error)
    if isinstance(error, click.exceptions.Abort):
        return INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if isinstance(error, click.UsageError):
        asked = error.ctx.command_path if error.ctx else "setscrew"
        # Some of click's messages list what may be chosen, a line each.
        message = " ".join(error.format_message().split()).rstrip(".")
        return _line(UsageError(message, hint=f"see {asked} --help", code="SS1001"))
    if isinstance(error, click.ClickException):
        return _line(UsageError(error.format_message(), code="SS1001"))
    if os.environ.get("SETSCREW_DEBUG"):
        traceback.print_exc()
    return _line(_internal(error))


def _line(error: SetscrewError) -> int:
    click.echo(f"setscrew: {error}", err=True)
    return error.exit_status


def _internal(error: Exception) -> InternalError:
    """The message of an unforeseen error may hold content of an object, so only its place is told."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119 - a name out of a trace
    hint = "set SETSCREW_DEBUG=1 for the trace, and report it"
    return InternalError(f"internal error: {type(error).__name__} in {place}", hint=hint)


def _verbatim(command: click.Command) -> click.Command:
    """Docstrings are raw, so click's mark of a paragraph to be left as it stands is two characters there."""
    command.help = (command.help or "").replace("\\b\n", "\b\n").replace("\\\\\n", "\\\n")
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _verbatim(below)
    return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="setscrew", prog_name="setscrew")
def main() -> None:
    r"""Who may change what Git manages? Setscrew holds a Kubernetes cluster to Git.

    \b
    See it work:          setscrew demo
    Before a push:        setscrew render PATH, setscrew diff PATH, setscrew review --desired DIR < review.json
    On a cluster:         setscrew run, setscrew drift, setscrew explain deployment/web -n shop
    In an emergency:      setscrew grant create (docs/how-to/break-glass.md)
    Is it well?           setscrew doctor --state ./state
    The off-switch:       setscrew register --remove

    Exit status: 0 same or allowed, 1 drift or denied, more is an error. Codes of errors: docs/reference/errors.md
    """


_verbatim(main)
