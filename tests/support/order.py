"""Owns the order in which the files of tests are handed to workers; must not choose which of them run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ORDER: Final = Path(__file__).parents[1] / "order.txt"
OTHERS: Final = "..."


def ranks(text: str) -> dict[str, int]:
    """The place of each file that the order names, and of OTHERS: all that it does not."""
    lines = [line.strip() for line in text.splitlines()]
    return {line: place for place, line in enumerate(line for line in lines if line and not line.startswith("#"))}
