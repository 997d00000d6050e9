"""Owns the regular expressions that only list names, as shell patterns. Must not evaluate one."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"[\w.:/*-]+")


def names_of(expression: str) -> tuple[str, ...]:
    """What `web`, `^(web|api)$`, `web-.*` and the like name; () for any name at all.

    Raises ValueError for an expression that says more. A point is taken for a point.
    """
    inner = expression.removeprefix("^").removesuffix("$")
    inner = inner[1:-1] if inner.startswith("(") and inner.endswith(")") else inner
    if inner in {"", ".*"}:
        return ()
    names = tuple(name.replace("\\.", ".").replace("\\-", "-") for name in inner.replace(".*", "*").split("|"))
    if not all(map(_NAME.fullmatch, names)):
        raise ValueError("is a regular expression that is no list of names")
    return names
