"""Owns the only door from values to text: masks secrets, escapes control characters, cuts. Must not compare."""

from __future__ import annotations

import json
import re
from typing import Final

from reconciler.canonical.volatile import HASHED
from reconciler.limits import DENIAL_VALUE_CHARS
from reconciler.model.path import ItemKey, Path
from reconciler.model.tree import ABSENT, Tree

MASK: Final = "***"
_SENSITIVE: Final = re.compile(r"pass|token|secret|credential|private|apikey|api_key|access_key", re.IGNORECASE)


def masked(value: Tree, path: Path = ()) -> Tree:
    """`value` with keyed hashes and values of environment variables with telling names replaced by `***`."""
    if _names_secret(path):
        return MASK
    if isinstance(value, str):
        return MASK if value.startswith(HASHED) else value
    if isinstance(value, dict):
        hide = isinstance(value.get("name"), str) and "value" in value and _SENSITIVE.search(value["name"])
        return {key: MASK if hide and key == "value" else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def _names_secret(path: Path) -> bool:
    if len(path) < 2 or path[-1] != "value" or not isinstance(path[-2], ItemKey):
        return False
    return any(isinstance(value, str) and _SENSITIVE.search(value) for _, value in path[-2].pairs)


def text(value: Tree, path: Path = (), *, limit: int = DENIAL_VALUE_CHARS) -> str:
    """`value` for people: JSON, masked, printable, at most `limit` characters; "nothing" for ABSENT."""
    if value is ABSENT:
        return "nothing"
    shown = json.dumps(masked(value, path), ensure_ascii=False, default=str)
    return clean(shown, limit=limit)


def clean(shown: str, *, limit: int = 4096) -> str:
    """Text without control or other unprintable characters, cut to `limit` characters."""
    if not shown.isprintable():
        shown = "".join(
            c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in shown
        )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
