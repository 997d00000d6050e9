"""Owns reading YAML and JSON text as kubectl does, within limits. Streams of Git are read in the render child only.

Builds trees from libyaml's *events*: its own composer recurses in C and kills the process at some 30,000 nested
brackets, while the parser keeps its stack on the heap. So depth, nodes and aliases are counted before anything grows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.model.tree import Tree
from reconciler.render import scalars
from reconciler.render.document import Document, beyond_limits, too_many_documents
from reconciler.render.json_loader import load_json

LOADER = f"PyYAML {yaml.__version__}"
_MERGE = object()  # the key `<<`, told apart from the string "<<"
_MERGE_TAG = f"{scalars.TAG}merge"
_MARK = b"\xef\xbb\xbf"  # byte order mark
_SEPARATOR = re.compile(rb"\n---[^\S\n]*[^\s#]")


def load_documents(data: bytes, name: str) -> Iterator[Document]:
    """All documents of `data`; `name` stands in errors.

    Raises RenderError with file and line on anything unreadable or beyond a limit.
    """
    text = data.removeprefix(_MARK)
    if text.lstrip()[:1] in {b"{", b"["} or name.endswith(".json"):
        parsed = load_json(text, name)
        if parsed is not None:
            yield from parsed
            return
    _check_separators(text, name)
    # go-yaml passes over a byte order mark at the start of any line, libyaml only over the first.
    yield from _Builder(text.replace(b"\n" + _MARK, b"\n"), name).documents()


def _check_separators(text: bytes, name: str) -> None:
    """Kubectl cuts the stream at each `---` itself, and takes nothing but a comment after it on its line."""
    found = _SEPARATOR.search(b"\n" + text)
    if found:
        line = text.count(b"\n", 0, found.start()) + 1
        raise RenderError("nothing but a comment may follow `---` on its line", where=f"{name}:{line}", code="SS3001")


@dataclass(slots=True)
class _Open:
    """A mapping or sequence under construction."""

    value: dict[str, Tree] | list[Tree]
    anchor: str | None
    line: int
    before: int  # nodes counted when it was opened
    key: Any = None
    has_key: bool = False
    lines: list[int] = field(default_factory=list)


class _Builder:
    """Builds trees from the events of one stream, without recursion."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        self._data = data
        self._reset()

    def _reset(self) -> None:
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Tree, int] | _Open] = {}
        self._nodes = 0
        self._aliases = 0
        self._item_lines: tuple[int, ...] = ()
        self._duplicates: list[str] = []
        self._root: Tree = None
        self._line = 0

    def documents(self) -> Iterator[Document]:
        count = 0
        for event in self._events():
            kind = type(event)
            if kind is yaml.DocumentStartEvent:
                if event.version or event.tags:
                    raise self._fail("kubectl reads no %YAML and %TAG directives", event.start_mark.line + 1)
                self._reset()
            elif kind is yaml.DocumentEndEvent:
                if count >= limits.YAML_DOCUMENTS:
                    raise too_many_documents(self._name)
                if self._root is not None:
                    yield Document(self._root, self._line, count, self._item_lines, tuple(self._duplicates))
                count += 1
            elif kind is not yaml.StreamStartEvent and kind is not yaml.StreamEndEvent:
                self._take(event, kind)

    def _events(self) -> Iterator[Any]:
        parser = CParser(self._data)
        try:
            yield from iter(parser.get_event, None)
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except yaml.YAMLError as error:
            line = self._data.count(b"\n", 0, getattr(error, "position", 0)) + 1
            raise self._fail(f"cannot read as YAML: {getattr(error, 'reason', 'damaged')}", line) from None
        finally:
            parser.dispose()

    def _syntax(self, error: yaml.MarkedYAMLError) -> RenderError:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        what = error.problem or error.context or "syntax error"
        return RenderError(
            f"YAML syntax error: {what}", where=f"{self._name}:{line}" if line else self._name, code="SS3001"
        )

    def _fail(self, message: str, line: int) -> RenderError:
        return RenderError(message, where=f"{self._name}:{line}", code="SS3001")

    def _take(self, event: Any, kind: type) -> None:
        line = event.start_mark.line + 1
        if not self._stack:
            self._line = self._line or line
        if kind is yaml.ScalarEvent:
            self._count(1, line)
            self._scalar(event, line)
        elif kind is yaml.AliasEvent:
            self._alias(event.anchor, line)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event, kind, line)
        else:
            self._close()

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > limits.YAML_NODES:
            raise beyond_limits(f"{self._name}:{line}", 0)

    def _open(self, event: Any, kind: type, line: int) -> None:
        top = self._stack[-1] if self._stack else None
        if top and isinstance(top.value, dict) and not top.has_key:
            raise self._fail("a mapping key must be a scalar", line)
        self._count(1, line)
        if len(self._stack) >= limits.YAML_DEPTH:
            raise beyond_limits(f"{self._name}:{line}", len(self._stack) + 1)
        value: dict[str, Tree] | list[Tree] = {} if kind is yaml.MappingStartEvent else []
        entry = _Open(value, event.anchor, line, self._nodes - 1)
        self._stack.append(entry)
        if entry.anchor:
            self._anchors[entry.anchor] = entry

    def _close(self) -> None:
        done = self._stack.pop()
        # A node inside may have taken the name over: then it is that one's.
        if done.anchor and self._anchors[done.anchor] is done:
            self._anchors[done.anchor] = (done.value, self._nodes - done.before)
        if len(self._stack) == 1 and self._stack[0].key == "items":
            self._item_lines = tuple(done.lines)
        self._put(done.value, done.line)

    def _scalar(self, event: Any, line: int) -> None:
        value: Any
        try:
            plain = event.implicit[0] and event.tag != "!"
            if plain:
                value = scalars.resolve_plain(event.value)
            elif event.implicit[1] or event.tag in {None, "!"}:
                value = event.value
            else:
                value = scalars.resolve_tagged(event.tag, event.value)
        except scalars.ScalarError as error:
            raise self._fail(str(error), line) from None
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        if self._stack and isinstance(self._stack[-1].value, dict) and not self._stack[-1].has_key:
            merges = value == "<<" and (plain or event.tag == _MERGE_TAG)
            self._key(self._stack[-1], _MERGE if merges else value, line)
        else:
            self._put(value, line)

    def _alias(self, anchor: str, line: int) -> None:
        self._aliases += 1
        if self._aliases > limits.YAML_ALIASES:
            raise RenderError(
                f"more than {limits.YAML_ALIASES} aliases in one document",
                where=f"{self._name}:{line}",
                code="SS3027",
            )
        named = self._anchors.get(anchor)
        if named is None:
            raise self._fail("an alias without its anchor", line)
        if isinstance(named, _Open):
            raise self._fail("an anchor's value contains itself", line)
        value, nodes = named
        self._count(nodes, line)
        top = self._stack[-1]
        if isinstance(top.value, dict) and not top.has_key:
            self._key(top, value, line)
        else:
            self._put(value, line)

    def _key(self, top: _Open, value: Any, line: int) -> None:
        if isinstance(value, dict | list):
            raise self._fail("a mapping key must be a scalar", line)
        try:
            top.key = value if value is _MERGE else scalars.key_text(value)
        except scalars.ScalarError as error:
            raise self._fail(str(error), line) from None
        top.has_key = True
        if top.key in top.value and top.key is not _MERGE:
            self._duplicates.append(f"{self._name}:{line}: {top.key}")

    def _put(self, value: Tree, line: int) -> None:
        if isinstance(value, float) and not math.isfinite(value):
            raise self._fail(".inf and .nan are no JSON values", line)
        if isinstance(value, float | int):
            value = scalars.tidy(value)
        if not self._stack:
            self._root = value
            return
        top = self._stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
            top.lines.append(line)
            return
        if top.key is _MERGE:
            self._merge(top.value, value, line)
        else:
            top.value[top.key] = value
        top.has_key = False

    def _merge(self, target: dict[str, Tree], value: Tree, line: int) -> None:
        # As go-yaml v2 does it, and so kubectl: in the order of the text, so a later `<<` replaces an earlier key.
        for source in reversed(value) if isinstance(value, list) else (value,):
            if not isinstance(source, dict):
                raise self._fail("`<<` needs a mapping or a list of mappings", line)
            target.update(source)
