"""Owns what is read off the text of a chart: which files call a template function that sees more than its input.

A hint for notes and waiting only. Packaged sub-charts and values that go through `tpl` are not seen, so what is
generated is told by rendering twice (see `generated`), never from here. Must not parse YAML.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

# The beginning of an action that is no comment, with the strings in it. No part of it may hold a brace, so that the
# search stays linear in hostile text.
_ACTION: Final = rb'\{\{(?!-?\s*/\*)(?:[^{}"`]|"[^"{}]*"|`[^`{}]*`)*?\b'
LOOKUP: Final = re.compile(_ACTION + rb"lookup\s+[\"`$.(]")
DNS: Final = re.compile(_ACTION + rb"getHostByName\b")
CLOCK: Final = re.compile(_ACTION + rb"(?:now|ago)\b")


def callers(chart: Path, function: re.Pattern[bytes]) -> tuple[str, ...]:
    """Files below `chart` (relative to it, sorted) that call `function`: LOOKUP, DNS or CLOCK."""
    files = sorted(file for file in chart.rglob("*") if file.is_file())
    return tuple(str(file.relative_to(chart)) for file in files if function.search(file.read_bytes()))


def has_packages(chart: Path) -> bool:
    """True where sub-charts are packed, so that their templates cannot be read here."""
    return any(chart.rglob("charts/*.tgz"))
