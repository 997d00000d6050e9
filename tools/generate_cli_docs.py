"""Writes docs/reference/cli.md from the commands themselves: `python tools/generate_cli_docs.py`.

tests/unit/docs/test_docs.py fails while the page and the commands differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from setscrew.cli import main as setscrew

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"
_WIDTH: Final = 110
_HEAD: Final = """\
# Commands

Written by `tools/generate_cli_docs.py` from the commands' own help; do not edit.

Data goes to stdout, talk to stderr. `NO_COLOR` is respected, nothing asks questions. Exit status, as `kubectl diff`: 0
same or allowed, 1 drift or denied, 2 and more an error ([errors](errors.md)). Commands that read a running instance take
its state directory from `--state` or `$SETSCREW_STATE`, those that speak to a cluster a kubeconfig from `--kubeconfig` or
`$KUBECONFIG`.
"""


def page() -> str:
    """The whole page."""
    widths = {"terminal_width": _WIDTH, "max_content_width": _WIDTH}
    context = click.Context(setscrew, info_name="setscrew", **setscrew.context_settings, **widths)
    sections = [_HEAD, _section("setscrew", setscrew.get_help(context))]
    for name in setscrew.list_commands(context):
        command = setscrew.get_command(context, name)
        if command is not None and not command.hidden:
            inner = click.Context(command, context, name, **widths)
            sections.append(_section(f"setscrew {name}", command.get_help(inner)))
            for below, sub in sorted(getattr(command, "commands", {}).items()):
                context_below = click.Context(sub, inner, below, **widths)
                sections.append(_section(f"setscrew {name} {below}", sub.get_help(context_below)))
    return "\n".join(sections)


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```\n{lines}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
