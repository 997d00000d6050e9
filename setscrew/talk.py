"""Owns the lines that long-running commands write for people. Must not raise: no line is worth a process.

Whoever reads the log may be gone, or its disk be full; then the guard goes on without a word.
"""

from __future__ import annotations

from contextlib import suppress

import click


def tell(line: str) -> None:
    """One line on stderr, if it takes one."""
    with suppress(OSError, ValueError):
        click.echo(line, err=True)
