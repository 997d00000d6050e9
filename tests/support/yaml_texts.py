"""Owns the generator of YAML texts: mappings, sequences, styles, anchors, aliases, merges, comments and odd scalars.

Most texts can be read, some cannot. Texts whose meaning kubectl itself leaves open do not occur: keys that differ in
type only (`1` and "1") are one key in JSON, and Go's map order decides which of them wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from tests.support.loader_cases import values

Draw = Any

# One spelling of each JSON key, see above.
_KEYS: Final = (
    "a",
    "b",
    "c",
    "key",
    "long key",
    "1",
    "0x10",
    "1.5",
    "y",
    "N",
    "'q'",
    '"d\\n"',
    "e-f",
    "a.b/c",
    "é",
    "=",
)
_COMMENTS: Final = ("", "", "", " # said", "   #")
_LETTERS: Final = "0123456789+-.eExXoObB_:yYnN~aF"
_TAGS: Final = ("!!str ", "!!int ", "!!float ", "!!bool ", "!own ", "! ")
_DEPTH: Final = 4

_in_table = st.sampled_from([case.text for case in values() if "\n" not in case.text and "#" not in case.text])
_words = st.text(_LETTERS, min_size=1, max_size=12)
_texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=12)


def _double_quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_scalars = st.one_of(
    _in_table,
    _words,
    _texts.map(_double_quoted),
    _texts.map(_single_quoted),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
_flow_scalars = st.one_of(st.sampled_from(_KEYS), st.integers(-999, 999).map(str), _texts.map(_double_quoted))
_lines = st.lists(st.sampled_from(["x", "  y", "", "z: 1", "# no comment", "- w ", "\tt"]), max_size=5)


@st.composite
def documents(draw: Draw) -> str:
    """The text of one mapping with the key `v`, as bytes of a document would hold it."""
    return f"v:{_Writer(draw).node(2, 0)}"


@dataclass(slots=True)
class _Writer:
    """Writes one document; a name can be an alias once the node that it names is written."""

    draw: Draw
    names: list[str] = field(default_factory=list)

    def node(self, indent: int, depth: int) -> str:
        """What stands after `key:` or `-`, line end included."""
        kinds = ["scalar", "scalar", "block", "flow", *(["alias"] if self.names else [])]
        kind = self.draw(st.sampled_from(kinds if depth >= _DEPTH else [*kinds, "mapping", "mapping", "sequence"]))
        if kind == "alias":
            return f" *{self.draw(st.sampled_from(self.names))}{self.comment()}\n"
        name = self.draw(st.sampled_from(["", "", "", "x", "y", "z"]))
        body = getattr(self, f"_{kind}")(indent, depth)
        if name and name not in self.names:
            self.names.append(name)
        return f" &{name}{body}" if name else body

    def comment(self) -> str:
        return str(self.draw(st.sampled_from(_COMMENTS)))

    def _scalar(self, indent: int, depth: int) -> str:
        del indent, depth
        tag = self.draw(st.sampled_from(["", "", "", "", *_TAGS]))
        return f" {tag}{self.draw(_scalars)}{self.comment()}\n"

    def _block(self, indent: int, depth: int) -> str:
        del depth
        head = self.draw(st.sampled_from(["|", ">"])) + self.draw(st.sampled_from(["", "-", "+"]))
        rows = [" " * indent + row if row else row for row in self.draw(_lines)]
        return f" {head}{self.comment()}\n" + "".join(f"{row}\n" for row in rows)

    def _flow(self, indent: int, depth: int) -> str:
        del indent
        return f" {self.flow(depth)}{self.comment()}\n"

    def flow(self, depth: int) -> str:
        """A node in flow style."""
        kind = self.draw(st.sampled_from(["scalar", "sequence", "mapping"] if depth < _DEPTH else ["scalar"]))
        if kind == "scalar":
            return str(self.draw(_flow_scalars))
        items = [self.flow(depth + 1) for _ in range(self.draw(st.integers(0, 3)))]
        if kind == "sequence":
            return f"[{', '.join(items)}]"
        keys = self.draw(st.lists(st.sampled_from(_KEYS), min_size=len(items), max_size=len(items), unique=True))
        return "{" + ", ".join(f"{key}: {item}" for key, item in zip(keys, items, strict=True)) + "}"

    def _sequence(self, indent: int, depth: int) -> str:
        rows = [f"{' ' * indent}-{self.node(indent + 2, depth + 1)}" for _ in range(self.draw(st.integers(1, 3)))]
        return f"{self.comment()}\n" + "".join(rows)

    def _mapping(self, indent: int, depth: int) -> str:
        rows = [
            f"{' ' * indent}{key}:{self.node(indent + 2, depth + 1)}"
            for key in self.draw(st.lists(st.sampled_from(_KEYS), min_size=1, max_size=4))
        ]
        if self.draw(st.integers(0, 3)) == 0:
            rows.insert(self.draw(st.integers(0, len(rows))), f"{' ' * indent}<<: {self._merged()}\n")
        return f"{self.comment()}\n" + "".join(rows)

    def _merged(self) -> str:
        sources = [f"*{name}" for name in self.names]
        one = st.sampled_from([*sources, "{a: 1, 1: 2}", "{}", "{<<: {b: 3}, c: 4}"])
        several = st.lists(one, max_size=3).map(lambda found: f"[{', '.join(found)}]")
        return str(self.draw(st.one_of(one, several)))
