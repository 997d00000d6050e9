"""Owns the few jq expressions that name a place, as paths of rules. Must not evaluate jq."""

from __future__ import annotations

import re
from typing import Final

from reconciler.policy.pattern import compiled

_SELECT: Final = re.compile(r"""\[\]\??\s*\|\s*select\(\s*\.(\w+)\s*==\s*("[^"\\]*")\s*\)""")
_QUOTED: Final = re.compile(r'\.("[^"\\]*")')
_ITEMS: Final = re.compile(r"\[\]\??")
_PIPE: Final = re.compile(r"\s*\|\s*(?=[.\[])")
_OPTIONAL: Final = re.compile(r"(?<=[\w\"\])])\?(?=$|[.\[])")


def json_path(expression: str) -> str:
    """`.a[]? | select(.k == "v") | .b`, `.a["b/c"]` and the like as JSONPath.

    Raises ValueError for anything that computes: it would hide something else, or nothing.
    """
    path = _SELECT.sub(r"[?(@.\1==\2)]", expression.strip())
    path = _ITEMS.sub("[*]", _QUOTED.sub(r"[\1]", path))
    path = _OPTIONAL.sub("", _PIPE.sub("", path))
    try:
        compiled(path)
    except ValueError:
        raise ValueError("a jq expression that is no plain path") from None
    return path
