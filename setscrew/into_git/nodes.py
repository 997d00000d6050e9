"""Owns where each value of a YAML text begins and ends. Must not know objects, nor change a text.

Built from libyaml's events without recursion, like the loader of renders. Positions are characters of the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from reconciler import limits
from reconciler.model.tree import Tree
from reconciler.render.document import beyond_limits
from reconciler.render.scalars import ScalarError, key_text, resolve_plain

_OPENS: Final = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSES: Final = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


@dataclass(slots=True)
class Node:
    """A value as it is written, from `start` up to `end`, the blank lines after it left out.

    `pairs` are those of a mapping, each key as its text with its node, `items` those of a list. `style` is the sign
    that a scalar is quoted with, "" for a plain one. `flow`: written in braces or brackets, or inside such.
    """

    kind: Literal["scalar", "mapping", "list", "alias"]
    start: int
    line: int
    column: int
    end: int = 0
    style: str = ""
    flow: bool = False
    pairs: list[tuple[str, Node, Node]] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)

    def at(self, key: str) -> Node | None:
        """The value under `key`; the last of several, as a loader has it."""
        return next((value for name, _, value in reversed(self.pairs) if name == key), None)


@dataclass(frozen=True, slots=True)
class Written:
    """One document of a text: its root, and where it begins: at its `---` if it has one (`marked`)."""

    root: Node
    start: int
    marked: bool


@dataclass(slots=True)
class _Open:
    node: Node
    key: tuple[str, Node] | None = None


def documents(text: str) -> list[Written]:
    """All documents of a text, empty ones too. Raises yaml.YAMLError, RenderError beyond the limits of a loader."""
    found: list[Written] = []
    stack: list[_Open] = []
    start, marked = 0, False
    for event in _events(text):
        kind = type(event)
        if kind is yaml.DocumentStartEvent:
            start, marked = event.start_mark.index, bool(event.explicit)
        elif isinstance(event, _CLOSES):
            _close(stack.pop().node, event, text)
        elif isinstance(event, (*_OPENS, yaml.ScalarEvent, yaml.AliasEvent)):
            node = _node(event, text, flow=bool(stack) and stack[-1].node.flow)
            if stack:
                _put(stack[-1], node, event)
            else:
                found.append(Written(node, start, marked))
            if isinstance(event, _OPENS):
                if len(stack) >= limits.YAML_DEPTH:
                    raise beyond_limits(f"line {node.line}", len(stack) + 1)
                stack.append(_Open(node))
    return found


def _events(text: str) -> Iterator[Any]:
    parser = CParser(text)
    try:
        yield from iter(parser.get_event, None)
    finally:
        parser.dispose()


def _node(event: Any, text: str, *, flow: bool) -> Node:
    mark = event.start_mark
    node = Node("scalar", mark.index, mark.line + 1, mark.column, event.end_mark.index, flow=flow)
    if isinstance(event, yaml.ScalarEvent):
        node.style = event.style or ""
        node.end = _trimmed(text, node.start, node.end)
    elif isinstance(event, yaml.AliasEvent):
        node.kind = "alias"
    else:
        node.kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
        node.flow = flow or bool(event.flow_style)
    return node


def _put(top: _Open, node: Node, event: Any) -> None:
    if top.node.kind == "list":
        top.node.items.append(node)
    elif top.key is None:
        top.key = (_key(event), node)
    else:
        top.node.pairs.append((*top.key, node))
        top.key = None


def _key(event: Any) -> str:
    """A key as the loader has it: `on` and `1` are texts there, too."""
    value: Tree = getattr(event, "value", "")
    if isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
        try:
            return key_text(resolve_plain(value))
        except ScalarError:
            return str(value)
    return str(value)


def _close(node: Node, event: Any, text: str) -> None:
    """A collection in block style ends with its last value; where its event is, the next thing begins."""
    if node.flow:
        node.end = event.end_mark.index
        return
    below = [value for _, _, value in node.pairs] or node.items
    node.end = _trimmed(text, node.start, max((one.end for one in below), default=event.start_mark.index))


def _trimmed(text: str, start: int, end: int) -> int:
    return max(start, start + len(text[start:end].rstrip()))
