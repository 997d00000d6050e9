"""Owns the only door from values to text: masks secrets, escapes control characters, cuts. Must not compare."""

from __future__ import annotations

import json
import re
from typing import Final

from reconciler.canonical.volatile import HASHED, LAST_APPLIED
from reconciler.limits import DENIAL_VALUE_CHARS
from reconciler.model.path import ItemKey, Path, follow
from reconciler.model.tree import ABSENT, Tree

MASK: Final = "***"
_SENSITIVE: Final = re.compile(r"pass|token|secret|credential|private|apikey|api_key|access_key", re.IGNORECASE)


def masked(value: Tree, path: Path = (), document: Tree = None) -> Tree:
    """`value` with keyed hashes, values of environment variables with telling names and manifests replaced by `***`.

    `document` is the tree that `path` leads into, where it is at hand: an item without keys is known only by it.
    """
    if _names_secret(path, document) or path[-1:] == (LAST_APPLIED,):
        return MASK
    if isinstance(value, str):
        return MASK if value.startswith(HASHED) else value
    if isinstance(value, dict):
        hidden = {LAST_APPLIED, "value"} if _is_telling(value) else {LAST_APPLIED}
        return {key: MASK if key in hidden else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def _names_secret(path: Path, document: Tree) -> bool:
    if len(path) < 2 or path[-1] != "value":
        return False
    if isinstance(path[-2], ItemKey):
        return any(isinstance(value, str) and _SENSITIVE.search(value) for _, value in path[-2].pairs)
    return _is_telling(follow(path[:-1], document))


def _is_telling(item: Tree) -> bool:
    name = item.get("name") if isinstance(item, dict) else None
    return isinstance(name, str) and _SENSITIVE.search(name) is not None


def text(value: Tree, path: Path = (), document: Tree = None, *, limit: int = DENIAL_VALUE_CHARS) -> str:
    """`value` for people: JSON, masked, printable, at most `limit` characters; "nothing" for ABSENT."""
    if value is ABSENT:
        return "nothing"
    shown = json.dumps(masked(value, path, document), ensure_ascii=False, default=str)
    return clean(shown, limit=limit)


def clean(shown: str, *, limit: int = 4096) -> str:
    """Text without control or other unprintable characters, cut to `limit` characters."""
    if not shown.isprintable():
        shown = "".join(
            c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in shown
        )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
