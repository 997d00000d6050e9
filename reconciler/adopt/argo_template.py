"""Owns the templates of an ApplicationSet, where they only put values in: `{{ name }}`, `{{ .path.basename }}`. Pure.

Go templates with functions and pipes are programs; they are refused by name, never half evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.model.tree import Tree

_ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD: Final = re.compile(r"(?:\.[A-Za-z_]\w*)+")
_INDEX: Final = re.compile(r'index\s+((?:\.[A-Za-z_]\w*)+)\s+(?:(\d+)|"([^"]*)")')


def filled(template: Tree, params: Mapping[str, Any], *, go: bool, where: str) -> Tree:
    """The template with `params` in all its texts; `go` says which of the two languages it is in.

    Raises UsageError for what is no plain value, or one that is not there.
    """
    if isinstance(template, str):
        return _text(template, params, go=go, where=where)
    if isinstance(template, list):
        return [filled(item, params, go=go, where=where) for item in template]
    if isinstance(template, dict):
        return {
            _text(key, params, go=go, where=where): filled(value, params, go=go, where=where)
            for key, value in template.items()
        }
    return template


def _text(text: str, params: Mapping[str, Any], *, go: bool, where: str) -> str:
    def value(action: re.Match[str]) -> str:
        found = _go(action[1], params) if go else _flat(params).get(action[1])
        if found is None or isinstance(found, dict | list):
            raise UsageError(f"{action[0]!r} is no plain value of the generator", where=where)
        return str(found).lower() if isinstance(found, bool) else str(found)

    return _ACTION.sub(value, text)


def _go(action: str, params: Mapping[str, Any]) -> Any:
    if _FIELD.fullmatch(action):
        return _at(params, action)
    if match := _INDEX.fullmatch(action):
        place = _at(params, match[1])
        if match[2] is not None:
            number = int(match[2])
            return place[number] if isinstance(place, list) and number < len(place) else None
        return place.get(match[3]) if isinstance(place, dict) else None
    return None


def _at(params: Mapping[str, Any], field: str) -> Any:
    place: Any = params
    for key in field.strip(".").split("."):
        place = place.get(key) if isinstance(place, Mapping) else None
    return place


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """As the plain language names values: `path.basename`, `path[0]`, `metadata.labels.team`."""
    found: dict[str, Any] = {}
    for key, value in params.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{name}.")
        elif isinstance(value, list):
            found |= {f"{name.removesuffix('.segments')}[{index}]": item for index, item in enumerate(value)}
        else:
            found[name.removesuffix(".path") if name == "path.path" else name] = value
    return found
