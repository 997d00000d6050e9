"""Owns reading the components' logs back; must not interpret them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from setscrew.controlplane.limits import LOG_TAIL_BYTES, LOG_TAIL_LINES


def tail(path: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last `lines` of a log; empty if it is not there."""
    try:
        with path.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - LOG_TAIL_BYTES))
            text = handle.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def together(tails: Mapping[str, str]) -> str:
    """All tails under their names, as an error shows them."""
    return "\n".join(f"--- {name}\n{text or '(empty)'}" for name, text in tails.items())
