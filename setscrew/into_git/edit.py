"""Owns the change of a YAML text so that one value says something else, and all around it stays as it is written.

Must not know objects. What comes out has to be read again by whoever asks: of anchors and merge keys it knows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

from reconciler.model.tree import Tree, strict_equal
from setscrew.into_git import emit
from setscrew.into_git.nodes import Node


class NotEditableError(Exception):
    """A text that cannot be changed in place; the message says why, without values."""


class Edit(NamedTuple):
    """`text` in place of what stands from `start` up to `end`."""

    start: int
    end: int
    text: str


def edited(text: str, root: Node, old: Tree, new: Tree) -> str:
    """The text in which the value `root`, that was read as `old`, says `new`. Raises NotEditableError."""
    pieces, at = [], 0
    # Of several at one place, those of inner values come first: that is the order in which they are found.
    for edit in sorted(_Editor(text).changed(root, old, new), key=lambda one: one.start):
        if edit.start < at:
            raise NotEditableError("two changes meet in one place")
        pieces += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*pieces, text[at:]])


def without_lines(text: str, start: int, end: int) -> str:
    """The text without the lines from `start` to the one that holds `end`."""
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    return text[:first] + ("" if last < 0 else text[last + 1 :])


@dataclass(frozen=True, slots=True)
class _Editor:
    text: str

    def changed(self, node: Node, old: Tree, new: Tree) -> Iterator[Edit]:
        """The edits that make `new` of what was read as `old`."""
        if strict_equal(old, new):
            return
        if node.kind == "mapping" and isinstance(old, dict) and isinstance(new, dict) and node.pairs and new:
            yield from self._mapping(node, old, new)
        elif node.kind == "list" and isinstance(old, list) and isinstance(new, list) and node.items and new:
            yield from self._list(node, old, new)
        elif node.kind == "scalar" and node.style not in ("|", ">") and not isinstance(new, dict | list):
            yield self._scalar(node, new)
        elif node.flow:
            yield self._flow(node, old, new)
        else:
            raise NotEditableError(f"line {node.line}: cannot become something of another shape there")

    def _scalar(self, node: Node, new: Tree) -> Edit:
        shown = emit.scalar(new, node.style)
        # An empty value begins right after the colon.
        return Edit(node.start, node.end, shown if node.end > node.start else f" {shown}")

    def _mapping(self, node: Node, old: dict[str, Tree], new: dict[str, Tree]) -> Iterator[Edit]:
        names = [name for name, _, _ in node.pairs]
        if len(set(names)) < len(names) or set(names) != old.keys():
            raise NotEditableError(f"line {node.line}: keys that are merged in or stand there twice")
        added = {name: value for name, value in new.items() if name not in old}
        kept = [name for name in names if name in new]
        if node.flow and (added or len(kept) < len(names)):
            yield self._flow(node, old, new)
            return
        if not kept:
            raise NotEditableError(f"line {node.line}: none of its keys stays")
        for name, key, value in node.pairs:
            if name in new:
                yield from self._value(node, key, value, old[name], new[name])
        yield from self._removed(node, kept)
        last = next(value for name, _, value in reversed(node.pairs) if name in new)
        if added:
            lead, offset = " " * node.column, self._offset()
            lines = [f"\n{lead}{emit.scalar(n)}:{emit.after_key(v, node.column, offset)}" for n, v in added.items()]
            at = self._line_end(last.end)
            yield Edit(at, at, "".join(lines))

    def _value(self, node: Node, key: Node, value: Node, old: Tree, new: Tree) -> Iterator[Edit]:
        """The value of a key; what takes another shape is written anew, from the colon on."""
        try:
            yield from list(self.changed(value, old, new))
        except NotEditableError:
            if value.flow or value.kind == "alias" or not _reshaped(old, new):
                raise
            colon = self.text.index(":", key.end) + 1
            yield Edit(colon, max(colon, value.end), emit.after_key(new, node.column, self._offset()))

    def _flow(self, node: Node, old: Tree, new: Tree) -> Edit:
        """All of a value in braces or brackets; what stays in it, as it was written."""
        if node.kind == "mapping" and isinstance(old, dict) and isinstance(new, dict):
            known = {name: self.text[key.start : value.end] for name, key, value in node.pairs}
            parts = [
                known[name]
                if name in known and strict_equal(old.get(name), one)
                else f"{emit.scalar(name)}: {emit.flow(one)}"
                for name, one in new.items()
            ]
            return Edit(node.start, node.end, "{" + ", ".join(parts) + "}")
        if node.kind == "list" and isinstance(old, list) and isinstance(new, list):
            known = {_spelled(one): self.text[at.start : at.end] for one, at in zip(old, node.items, strict=True)}
            return Edit(
                node.start, node.end, "[" + ", ".join(known.get(_spelled(one)) or emit.flow(one) for one in new) + "]"
            )
        return Edit(node.start, node.end, emit.flow(new))

    def _removed(self, node: Node, kept: list[str]) -> Iterator[Edit]:
        pairs = node.pairs
        for number, (name, key, value) in enumerate(pairs):
            if name in kept:
                continue
            begin = self.text.rfind("\n", 0, key.start) + 1
            if self.text[begin : key.start].strip():  # `- name: x`: what comes next takes its place
                if number + 1 == len(pairs) or pairs[number + 1][0] not in kept:
                    raise NotEditableError(f"line {key.line}: it stands at the head of an item")
                yield Edit(key.start, pairs[number + 1][1].start, "")
            else:
                yield Edit(begin, self._next_line(max(key.end, value.end)), "")

    def _list(self, node: Node, old: list[Tree], new: list[Tree]) -> Iterator[Edit]:
        if len(node.items) != len(old):
            raise NotEditableError(f"line {node.line}: a list that is not written item by item")
        aligned = SequenceMatcher(None, *_names(old, new), autojunk=False).get_opcodes()
        pairwise = [tag == "equal" or (tag == "replace" and j - i == m - k) for tag, i, j, k, m in aligned]
        if node.flow and not all(pairwise):
            yield self._flow(node, old, new)
            return
        for (_, low, high, begin, end), fits in zip(aligned, pairwise, strict=True):
            if fits:
                for at, one in zip(range(low, high), new[begin:end], strict=True):
                    yield from self._item(node, at, old[at], one)
            else:
                yield from self._items(node, low, high, new[begin:end])

    def _item(self, node: Node, at: int, old: Tree, new: Tree) -> Iterator[Edit]:
        one = node.items[at]
        try:
            yield from list(self.changed(one, old, new))
        except NotEditableError:
            if one.flow or one.kind == "alias" or not _reshaped(old, new):
                raise
            yield Edit(one.start, one.end, emit.item(new, node.column, self._offset()))

    def _items(self, node: Node, low: int, high: int, new: list[Tree]) -> Iterator[Edit]:
        """Items from `low` up to `high` go, new ones come in their place; not all can go."""
        lines = [f"{' ' * node.column}- {emit.item(one, node.column, self._offset())}" for one in new]
        if lines and low:
            at = self._line_end(node.items[low - 1].end)
            yield Edit(at, at, "".join(f"\n{line}" for line in lines))
        elif lines:
            at = self._head(node, node.items[0])
            yield Edit(at, at, "".join(f"{line}\n" for line in lines))
        for one in node.items[low:high]:
            yield Edit(self._head(node, one), self._next_line(one.end), "")

    def _head(self, node: Node, one: Node) -> int:
        """The beginning of the item's first line, in which its dash stands alone before it."""
        dash = self.text.rfind("-", 0, one.start)
        begin = self.text.rfind("\n", 0, dash) + 1
        if dash < 0 or dash - begin != node.column or self.text[begin:dash].strip():
            raise NotEditableError(f"line {one.line}: an item that does not stand in lines of its own")
        return begin

    def _line_end(self, at: int) -> int:
        found = self.text.find("\n", at)
        return len(self.text) if found < 0 else found

    def _next_line(self, at: int) -> int:
        return min(len(self.text), self._line_end(at) + 1)

    def _offset(self) -> int:
        """By how much this text indents lists below their keys: none, or 2."""
        lines = self.text.split("\n")
        for above, below in pairwise(lines):
            if above.rstrip().endswith(":") and below.lstrip().startswith("- "):
                lead = above.lstrip(" ")
                head = len(above) - len(lead) + (2 if lead.startswith("- ") else 0)
                return 2 if len(below) - len(below.lstrip(" ")) > head else 0
        return 0


def at_place(node: Node | None, keys: tuple[str | int, ...]) -> Node | None:
    """The value below `node` by names and indices; None where it is not written out."""
    for key in keys:
        if node is None:
            return None
        if isinstance(key, int):
            node = node.items[key] if node.kind == "list" and key < len(node.items) else None
        else:
            node = node.at(key) if node.kind == "mapping" else None
    return node


def _reshaped(old: Tree, new: Tree) -> bool:
    """Whether nothing of how the old value is written can be kept: then it is written anew."""
    if isinstance(old, dict) and isinstance(new, dict):
        return not old.keys() & new.keys()
    return not (isinstance(old, list) and isinstance(new, list) and old and new)


def _names(old: list[Tree], new: list[Tree]) -> tuple[list[str], list[str]]:
    """What stands for each item when both lists are laid side by side: its name, where all have one of their own."""
    some: list[list[str]] = []
    for items in (old, new):
        named = [str(one["name"]) for one in items if isinstance(one, dict) and isinstance(one.get("name"), str)]
        if len(set(named)) < len(items):
            return [_spelled(one) for one in old], [_spelled(one) for one in new]
        some.append(named)
    return some[0], some[1]


def _spelled(value: Tree) -> str:
    return json.dumps(value, sort_keys=True)
