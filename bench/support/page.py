"""Owns the page of recorded figures: where a table stands in it, and of which commit it is. Must not measure."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "performance.md"


def placed(page: str, text: str, marks: tuple[str, str]) -> str:
    """`page` with `text` between its two marks. Raises ValueError where they are missing."""
    begin, end = marks
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{text}{end}{after}"


def commit() -> str:
    """The commit that is measured, `-dirty` where the files are not it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=10"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
