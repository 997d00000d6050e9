"""Owns what Helm makes of `--set`: parameters as a tree of values, as far as that is plain. Pure.

A command line can be read by every process of the machine and may hold a password, so texts go into a values file. What
is not plain (indices of lists, escapes) only Helm can say, since it depends on the other values; and a number is an
integer only on the command line: out of a file, templates get a float.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from reconciler.render.spec import Parameter

_NAME: Final = re.compile(r"(?:[^\\.,=\[\]{}]|\\[.,=\[\]])+(?:\.(?:[^\\.,=\[\]{}]|\\[.,=\[\]])+)*")
_DOT: Final = re.compile(r"(?<!\\)\.")
_ESCAPED: Final = re.compile(r"\\(.)")
_LIST: Final = re.compile(r"\{[^{}\\]*\}")
_NUMBER: Final = re.compile(r"[+-][0-9]+|[1-9][0-9]*|0")
_BARE_COMMA: Final = re.compile(r"(?<!\\),")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


def as_values(parameters: Iterable[Parameter]) -> tuple[dict[str, Any], list[Parameter]]:
    """A tree for a values file that comes after all others, and the parameters that only Helm can read.

    Texts win over what is typed, and files over texts, whatever the order, as they do for Helm.
    """
    tree: dict[str, Any] = {}
    ordered = sorted(parameters, key=lambda one: (one.from_file, one.as_text))
    rest = [one for one in ordered if not (_NAME.fullmatch(one.name) and _is_plain(one) and _put(tree, one))]
    return tree, rest


def as_option(parameter: Parameter) -> str:
    """The option of `helm template` for a parameter, with commas as Argo CD writes them."""
    option = "--set-file" if parameter.from_file else "--set-string" if parameter.as_text else "--set"
    is_list = parameter.value.startswith("{") and parameter.value.endswith("}")
    value = parameter.value if is_list else _BARE_COMMA.sub(r"\,", parameter.value)
    return f"{option}={parameter.name}={value}"


def _is_plain(parameter: Parameter) -> bool:
    value = parameter.value
    if parameter.from_file:
        return True
    parts = value[1:-1].split(",") if _LIST.fullmatch(value) else [value]
    numbers = not parameter.as_text and any(map(_NUMBER.fullmatch, parts))
    return "\\" not in value and not numbers and not (value.startswith("{") and parts == [value])


def _put(tree: dict[str, Any], parameter: Parameter) -> bool:
    """Set the value at its path; False where something else than a mapping is in the way."""
    *above, last = (_ESCAPED.sub(r"\1", part) for part in _DOT.split(parameter.name))
    for key in above:
        below = tree.setdefault(key, {})
        if not isinstance(below, dict):
            return False
        tree = below
    tree[last] = _value(parameter)
    return True


def _value(parameter: Parameter) -> Any:
    value = parameter.value
    if parameter.from_file:
        return value
    if value.startswith("{"):
        return [_scalar(part, as_text=parameter.as_text) for part in value[1:-1].split(",")]
    return _scalar(value, as_text=parameter.as_text)


def _scalar(text: str, *, as_text: bool) -> str | bool | None:
    return text if as_text else _WORDS.get(text.lower(), text)
