"""Owns the only door from values to the report: masks, cuts, escapes. Must not know where a value is shown.

Values of Secrets arrive as keyed hashes (`hmac:<64 hex>`) and leave as `***`; a hash never leaves, nor does a length.
Masking comes after comparing, so a live value that spells `***` itself still counts as a difference.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from reconciler.compare.mask import MASK, SECRET_NAME
from reconciler.limits import REPORT_DEPTH, REPORT_ITEMS, REPORT_VALUE_CHARS
from reconciler.model.tree import Tree

HASH: Final = re.compile(r"hmac:[0-9a-f]{64}")

# What a terminal or a browser may take as a command: C0 and C1 controls but tab and newline, bidirectional overrides,
# line separators, byte-order marks, what YAML and XML cannot hold, and lone surrogates (which no UTF-8 stream can).
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_BREAKS: Final = {"\n": "\\n", "\t": "\\t"}


def printable(value: Tree) -> Tree:
    """The value as the report may hold it: same shape, secrets `***`, long strings and deep or long trees cut.

    Newlines and tabs stay, so that a multi-line text can be read; `one_line` escapes these as well.
    """
    return _printable(conceal(value), REPORT_DEPTH)


def one_line(value: Tree) -> str:
    """The value as one line for people: a string as it is, everything else as compact JSON."""
    value = printable(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "".join(_BREAKS.get(char, char) for char in text)


def visible(text: str) -> str:
    """The text with all that a terminal or a browser may take as a command spelt out; newlines and tabs stay."""
    return _UNSAFE.sub(_escape, text)


def conceal(value: Tree) -> Tree:
    """Mask what is a secret by its name: the `value` beside a `name` such as DB_PASSWORD (container env)."""
    if isinstance(value, list):
        return [conceal(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = _named_secret(value)
    return {key: MASK if hidden and key == "value" else conceal(item) for key, item in value.items()}


def mask_leaves(value: Tree) -> Tree:
    """Every string below `value` as the mask: for what a Secret holds. Keyed hashes stay, `printable` masks these."""
    if isinstance(value, dict):
        return {key: mask_leaves(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_leaves(item) for item in value]
    return MASK if isinstance(value, str) and not HASH.fullmatch(value) else value


def is_masked(value: Tree) -> bool:
    """True when `value`, already printable, holds a mask anywhere: a patch made of it would write the mask."""
    if isinstance(value, dict):
        return any(is_masked(item) for item in value.values())
    if isinstance(value, list):
        return any(is_masked(item) for item in value)
    return bool(value == MASK)


def _named_secret(item: dict[str, Any]) -> bool:
    name = item.get("name")
    return isinstance(name, str) and isinstance(item.get("value"), str) and bool(SECRET_NAME.search(name))


def _printable(value: Tree, depth: int) -> Tree:
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, list):
        items = [_printable(item, depth - 1) for item in value[:REPORT_ITEMS]]
        return [*items, f"… {len(value) - REPORT_ITEMS} more"] if len(value) > REPORT_ITEMS else items
    pairs = list(value.items())
    tree = {_text(str(key)): _printable(item, depth - 1) for key, item in pairs[:REPORT_ITEMS]}
    if len(pairs) > REPORT_ITEMS:
        tree["…"] = f"{len(pairs) - REPORT_ITEMS} more"
    return tree


def _text(text: str) -> str:
    if HASH.fullmatch(text):
        return MASK
    if len(text) > REPORT_VALUE_CHARS:
        text = text[:REPORT_VALUE_CHARS] + "…"
    return visible(text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
