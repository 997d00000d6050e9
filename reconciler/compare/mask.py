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
_JSON: Final = json.JSONEncoder(ensure_ascii=False, default=str)
# Names that give a secret away; the report and a denial must agree on them.
SECRET_NAME: Final = re.compile(r"pass|token|secret|key|credential|private", re.IGNORECASE)


def masked(value: Tree, path: Path = (), document: Tree = None) -> Tree:
    """`value` with keyed hashes, values of environment variables with telling names and manifests replaced by `***`.

    `document` is the tree that `path` leads into, where it is at hand: an item without keys is known only by it.
    """
    return MASK if _names_secret(path, document) else _without_secrets(value)


def _without_secrets(value: Tree) -> Tree:
    if isinstance(value, str):
        return MASK if value.startswith(HASHED) else value
    if isinstance(value, dict):
        hidden = {LAST_APPLIED, "value"} if _is_telling(value) else {LAST_APPLIED}
        return {key: MASK if key in hidden else _without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value


def _names_secret(path: Path, document: Tree) -> bool:
    name = path[-1] if path else None
    if name == LAST_APPLIED:
        return True
    if name != "value" or len(path) < 2:
        return False
    if isinstance(path[-2], ItemKey):
        return any(isinstance(value, str) and SECRET_NAME.search(value) for _, value in path[-2].pairs)
    return _is_telling(follow(path[:-1], document))


def _is_telling(item: Tree) -> bool:
    name = item.get("name") if isinstance(item, dict) else None
    return isinstance(name, str) and SECRET_NAME.search(name) is not None


def text(value: Tree, path: Path = (), document: Tree = None, *, limit: int = DENIAL_VALUE_CHARS) -> str:
    """`value` for people: JSON, masked, printable, at most `limit` characters; "nothing" for ABSENT and null."""
    return _shown(_masked(value, path, document), limit)


def _masked(value: Tree, path: Path, document: Tree) -> Tree:
    """That nothing is there is no secret."""
    return value if value is ABSENT or value is None else masked(value, path, document)


def _shown(value: Tree, limit: int = DENIAL_VALUE_CHARS) -> str:
    if value is ABSENT or value is None:
        return "nothing"
    return clean(str(value) if type(value) is int else _JSON.encode(value), limit=limit)


def pair(want: Tree, now: Tree, path: Path = (), documents: tuple[Tree, Tree] = (None, None)) -> tuple[str, str]:
    """Both values as `text` shows them; of texts of several lines only those that differ, with the first one's number.

    `documents` are the trees that hold `want` and `now`.
    """
    shown, _, other = shown_values((want, ABSENT, now), path, (documents[0], None, documents[1]))
    return shown, other


def shown_values(
    values: tuple[Tree, Tree, Tree], path: Path, documents: tuple[Tree, Tree, Tree]
) -> tuple[str, str, str]:
    """What was wanted, was and is at `path`, each of the latter as `pair` shows it beside the first."""
    want, was, now = map(_masked, values, (path, path, path), documents)
    both, before = _lines_apart(want, now), _lines_apart(want, was)
    shown, other = both or (_shown(want), _shown(now))
    return shown, before[1] if before else _shown(was), other


def _lines_apart(old: Tree, new: Tree) -> tuple[str, str] | None:
    """The lines that differ, where they are not all of both texts."""
    if not isinstance(old, str) or not isinstance(new, str) or not ("\n" in old or "\n" in new):
        return None
    before, after = old.split("\n"), new.split("\n")
    first = _alike(before, after)
    last = _alike(before[first:][::-1], after[first:][::-1])
    parts = before[first : len(before) - last], after[first : len(after) - last]
    if (first or last) and parts[0] != parts[1]:
        return _lines(parts[0], first + 1), _lines(parts[1], first + 1)
    return None


def _alike(before: list[str], after: list[str]) -> int:
    """How many first lines are the same."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(before), len(after)))


def _lines(lines: list[str], number: int) -> str:
    return f"{text(chr(10).join(lines)) if lines else 'nothing'} (line {number})"


def clean(shown: str, *, limit: int = 4096) -> str:
    """Text without control or other unprintable characters, cut to `limit` characters."""
    if not shown.isprintable():
        shown = "".join(
            c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in shown
        )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
