"""Owns how rows of text read on a terminal. Must not know what they say; every cell passes through `one_line`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.report.printable import one_line

_WIDTH_WITHOUT_TERMINAL = 160


def console() -> Console:
    """The stream of data. rich honours NO_COLOR, and prints no colours where there is no terminal."""
    found = Console(highlight=False)
    if found.is_terminal:
        return found
    # A width that a shell has left in the environment is that of a terminal which is not asked here.
    return Console(highlight=False, width=max(found.width, _WIDTH_WITHOUT_TERMINAL))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[str | list[str] | Text]]) -> None:
    """A table without rules. A cell is one line, a list of lines, or a Text whose words have passed `one_line`."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    console().print(table)


def _cell(words: str | list[str] | Text) -> Text:
    if isinstance(words, Text):
        return words
    return Text("\n".join(map(one_line, [words] if isinstance(words, str) else words)))
