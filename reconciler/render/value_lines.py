"""Owns in which line of a YAML or JSON text a value stands. Must run in the render child only, and not judge values.

Reads libyaml's events like the loader, without recursion. What it cannot follow (aliases, merge keys) it leaves at
the nearest line above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from reconciler import limits

Token = str | int
_ROOT: Final = 0
_OPENS: Final = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSES: Final = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value: names and indices below the mapping that begins in `line` (0: below the root of the first document).

    `inside` leads on into the document that the value, a text, holds.
    """

    line: int
    path: tuple[Token, ...]
    inside: tuple[Token, ...] = ()


@dataclass(slots=True)
class _Node:
    """A value that is looked for, or one above it. `text` is what it holds if it is a literal block."""

    line: int = 0
    text: str = ""
    below: dict[Token, _Node] = field(default_factory=dict)

    def grow(self, path: Sequence[Token]) -> None:
        node = self
        for token in path:
            node = node.below.setdefault(token, _Node())


@dataclass(slots=True)
class _Open:
    """A mapping or list that is being read: where in it the reader is, and its node if anything in it is wanted."""

    is_mapping: bool
    node: _Node | None
    key: Token | None = None
    key_line: int = 0


def value_lines(data: bytes, wanted: Sequence[Wanted]) -> list[int]:
    """The line (from 1) of each wanted value, or of the nearest one above it; 0 where nothing of it was found."""
    bases: dict[int, _Node] = {}
    for one in wanted:
        bases.setdefault(one.line, _Node()).grow(one.path)
    _walk(data, dict(bases))
    return [_line(bases[one.line], one) for one in wanted]


def _line(node: _Node, wanted: Wanted) -> int:
    line = node.line
    for token in wanted.path:
        node = node.below[token]
        if not node.line:
            return line
        line = node.line
    if wanted.inside and node.text:
        (within,) = value_lines(node.text.encode("utf-8", "replace"), [Wanted(_ROOT, wanted.inside)])
        return line + within
    return line


def _walk(data: bytes, waiting: dict[int, _Node]) -> None:
    """Fill in the lines of nodes. `waiting` are the roots, by the line in which each begins."""
    stack: list[_Open] = []
    for event in _events(data):
        if isinstance(event, _CLOSES):
            stack.pop()
            _next(stack)
        elif isinstance(event, (*_OPENS, yaml.ScalarEvent, yaml.AliasEvent)):
            _take(event, stack, waiting)


def _take(event: Any, stack: list[_Open], waiting: dict[int, _Node]) -> None:
    line, top = event.start_mark.line + 1, stack[-1] if stack else None
    if top is not None and top.is_mapping and top.key is None:
        top.key, top.key_line = getattr(event, "value", ""), line
        if isinstance(event, _OPENS):  # a key that is no text: no object has one
            stack.append(_Open(isinstance(event, yaml.MappingStartEvent), None))
        return
    node = top.node.below.get(top.key) if top is not None and top.node is not None and top.key is not None else None
    if isinstance(event, yaml.MappingStartEvent):
        node = waiting.pop(line, None) or (waiting.pop(_ROOT, None) if not stack else None) or node
    if node is not None and not node.line:
        node.line = top.key_line if top is not None and top.is_mapping and top.key_line else line
        if isinstance(event, yaml.ScalarEvent) and event.style == "|":
            node.line, node.text = line, event.value
    if isinstance(event, _OPENS):
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        stack.append(_Open(is_mapping, node, None if is_mapping else 0))
    else:
        _next(stack)


def _next(stack: list[_Open]) -> None:
    """A value has been read: go on to the next key or item."""
    if stack:
        top = stack[-1]
        top.key = None if top.is_mapping or not isinstance(top.key, int) else top.key + 1


def _events(data: bytes) -> Iterator[Any]:
    """The events as far as the text can be read."""
    parser = CParser(data)
    try:
        for count, event in enumerate(iter(parser.get_event, None)):
            if count > 3 * limits.YAML_NODES:
                return
            yield event
    except yaml.YAMLError:
        return
    finally:
        parser.dispose()
