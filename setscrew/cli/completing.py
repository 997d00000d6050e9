"""Owns completion: the command `completion`, and what kubectl asks about its plugin. Must not run a command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from reconciler.errors import UsageError
from setscrew.cli import main

_VARIABLE: Final = "_SETSCREW_COMPLETE"
_SHELLS: Final = ("bash", "zsh", "fish")
# What cobra, which kubectl is made with, calls its directives: the shell adds files, nothing, or directories.
_FILES, _NOTHING, _DIRECTORIES = 0, 4, 16
_HELP_CHARS: Final = 100


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    r"""Print what a shell must read to complete commands and options of `setscrew`.

    For `kubectl setscrew` nothing is needed: kubectl asks `kubectl_complete-setscrew`, which stands beside it.

    \b
    eval "$(setscrew completion bash)"              in ~/.bashrc
    eval "$(setscrew completion zsh)"               in ~/.zshrc
    setscrew completion fish | source               in ~/.config/fish/config.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise UsageError(f"no completion for {shell}", hint=f"known: {', '.join(_SHELLS)}")
    click.echo(found(main, {}, "setscrew", _VARIABLE).source())


def for_kubectl() -> None:
    """The program `kubectl_complete-setscrew`: words of the command line in, completions as cobra prints them out."""
    click.echo(completed(sys.argv[1:]))


def completed(words: Sequence[str]) -> str:
    """A line for each completion of the last of `words`, with its help after a tab, and last a directive."""
    *before, last = words or ("",)
    found = ShellComplete(main, {}, "setscrew", _VARIABLE).get_completions(list(before), last)
    lines = [_line(one) for one in found if one.type == "plain"]
    kinds = {one.type for one in found}
    directive = _FILES if "file" in kinds else _DIRECTORIES if "dir" in kinds else _NOTHING
    return "\n".join([*lines, f":{directive}"])


def _line(item: CompletionItem) -> str:
    told = " ".join((item.help or "").split())[:_HELP_CHARS]
    return f"{item.value}\t{told}" if told else str(item.value)
