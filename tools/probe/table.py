"""Owns the table of defaults: from observations to the rules of every definition. Must not ask a server.

The content of reconciler/schema/data/defaults.json: per definition `fill` (rules of each field that may be undeclared),
`keeps` (fields whose zero or empty value is stored when sent) and `computed` (fields that no rule explains).
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.probe.learn import Example, explained, text
from tools.probe.observe import Observation, altered
from tools.probe.rules import COMPUTED, KIND, Rule, Tree, filled
from tools.probe.shapes import META, Shape, Shapes

# A definition seen less often is not known: what it lacks would be read as "nothing is filled in".
_SEEN = 2
_SKIPPED = frozenset({"metadata"})
# What rows of whole objects do not show.
_ROOT = frozenset({"apiVersion", "kind", "metadata", "status"})
_OPAQUE = Shape("opaque")
_NONE: Mapping[str, set[str]] = {}


@dataclass(slots=True)
class Learner:
    """Learns the table from observations; `keeps` is learned first, because it says what counts as declared.

    `computed`: definition → field → kinds of objects in which a rule would only tell of the cluster that was asked.
    """

    shapes: Shapes
    computed: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    keeps: dict[str, frozenset[str]] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)
    _declared: dict[int, tuple[Tree, dict[str, Tree]]] = field(default_factory=dict)

    def learn_keeps(self, seen: Iterable[Observation]) -> None:
        """Find the fields whose zero value is always stored; where it sometimes is, rules may tell when."""
        votes: dict[tuple[str, str], set[bool]] = defaultdict(set)
        for one in seen:
            for name, shape in self.shapes.fields(one.definition).items():
                if name in one.sent and is_zero(shape, one.sent[name]):
                    votes[one.definition, name].add(_stored(shape, one.sent[name], one.answered.get(name)))
        kept: dict[str, set[str]] = defaultdict(set)
        for (definition, name), found in votes.items():
            if found == {True}:
                kept[definition].add(name)
        self.keeps = {definition: frozenset(names) for definition, names in kept.items()}

    def declared(self, shape: Shape, value: Tree) -> Tree:
        """The value without zeros that are not stored, bottom up."""
        if shape.form == "struct" and isinstance(value, dict) and shape.definition != META:
            # Observations of one object share their structs, so each is looked at once.
            if id(value) not in self._declared:
                self._declared[id(value)] = (value, self._struct(shape.definition, value))
            return self._declared[id(value)][1]
        if shape.item is None or shape.flat:
            return value
        if isinstance(value, list):
            return [self.declared(shape.item, below) for below in value]
        if isinstance(value, dict):
            return {name: self.declared(shape.item, below) for name, below in value.items()}
        return value

    def _struct(self, definition: str, struct: dict[str, Tree]) -> dict[str, Tree]:
        fields = self.shapes.fields(definition)
        kept = self.keeps.get(definition, frozenset())
        out = {name: self.declared(fields.get(name, _OPAQUE), below) for name, below in struct.items()}
        return {
            name: below for name, below in out.items() if name in kept or not is_zero(fields.get(name, _OPAQUE), below)
        }

    def table(self, rows: Mapping[str, Sequence[Row]], computed: Mapping[str, set[str]] = _NONE) -> dict[str, Any]:
        """The entry of every definition that was seen often enough; `computed` adds fields that are not to be told."""
        return {
            definition: self._entry(definition, of, computed.get(definition, set()))
            for definition, of in sorted(rows.items())
            if self._seen[definition] >= _SEEN or self._complete(definition, of)
        }

    def _complete(self, definition: str, rows: Sequence[Row]) -> bool:
        """Did every row declare every field? Then nothing is ever filled in here."""
        return all(row.struct.keys() >= self.shapes.fields(definition).keys() - _ROOT for row in rows)

    def _entry(self, definition: str, rows: Sequence[Row], computed: set[str]) -> dict[str, Any]:
        fields = self.shapes.fields(definition)
        fill: dict[str, list[Rule]] = {}
        for name in sorted(set(fields) - _SKIPPED - computed):
            kinds = {row.kind for row in rows if name in row.altered} | _never_stored(name, rows)
            kinds |= set(self.computed.get(definition, {}).get(name, ()))
            seen = [row for row in rows if name not in row.struct and row.kind not in kinds]
            examples = [Example(row.kind, row.struct, row.answers.get(name)) for row in seen]
            rules = explained(examples) if examples else []
            fill[name] = _with_computed(rules, kinds, {row.kind for row in rows})
        return _packed(fill, self.keeps.get(definition, frozenset()), computed)

    def rows(self, seen: Iterable[Observation]) -> dict[str, list[Row]]:
        """The observations by definition, reduced to what rules can see; equal ones once."""
        out: dict[str, dict[str, Row]] = defaultdict(dict)
        for one in seen:
            self._seen[one.definition] += 1
            row = self._row(one)
            out[one.definition].setdefault(row.key, row)
        return {definition: list(of.values()) for definition, of in out.items()}

    def _row(self, one: Observation) -> Row:
        fields = {name: shape for name, shape in self.shapes.fields(one.definition).items() if name not in _SKIPPED}
        struct = self.declared(Shape("struct", definition=one.definition), one.sent)
        struct = {name: value for name, value in struct.items() if name in fields}
        told = {name: value for name, value in struct.items() if not is_zero(fields[name], value)}
        return Row(
            one.root,
            {name: _flat(fields[name], value) for name, value in struct.items()},
            {name: value for name, value in one.answered.items() if name not in struct and name not in _SKIPPED},
            frozenset(
                name for name, value in told.items() if altered(fields[name], value, one.answered.get(name, value))
            ),
            frozenset(told.keys() - one.answered.keys()),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One struct: the kind of its object, its declared fields (structs below are empty), what was added to them.

    `altered` and `dropped`: declared fields that came back with another value, or not at all.
    """

    kind: str
    struct: dict[str, Any]
    answers: dict[str, Any]
    altered: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The row as text."""
        return text([self.kind, self.struct, self.answers, sorted(self.altered), sorted(self.dropped)])

    def turn(self, rounds: int) -> int:
        """In which of so many rounds the row is held back; the same in every run."""
        return zlib.crc32(text([self.kind, self.struct]).encode()) % rounds


def without(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The entry with a field that is computed instead of filled by rules."""
    fill = {field: rules for field, rules in entry.get("fill", {}).items() if field != name}
    return _packed(fill, frozenset(entry.get("keeps", ())), {name, *entry.get("computed", ())})


def is_zero(shape: Shape, value: Tree) -> bool:
    """Is it the value that Go cannot tell from a missing one?"""
    return any(type(value) is type(zero) and value == zero for zero in shape.zeros)


def mistakes(entry: Mapping[str, Any], rows: Iterable[Row]) -> list[tuple[str, Row, Tree]]:
    """Where the entry of a definition says something else than was observed: (field, row, what it says)."""
    out = []
    for row in rows:
        for name in sorted({*entry.get("fill", {}), *row.answers} - set(entry.get("computed", ())) - _SKIPPED):
            if name in row.struct:
                continue
            said = filled(entry.get("fill", {}).get(name, ()), row.kind, row.struct)
            if said is not COMPUTED and text(said) != text(row.answers.get(name)):
                out.append((name, row, said))
    return out


def _with_computed(rules: list[Rule], kinds: set[str], every: set[str]) -> list[Rule]:
    """What the server changes although it is declared is not explained by what it does where it is not."""
    if not kinds or rules == [{"computed": True}]:
        return rules
    if kinds == every:
        return [{"computed": True}]
    return [{"when": [{"field": KIND, "in": sorted(kinds)}], "computed": True}, *rules]


def _never_stored(name: str, rows: Sequence[Row]) -> set[str]:
    """The kinds of a field whose feature is off: nobody can tell what a server does with it where it is on."""
    declaring = [row for row in rows if name in row.struct and name not in row.altered]
    return {row.kind for row in rows} if declaring and all(name in row.dropped for row in declaring) else set()


def _packed(fill: dict[str, list[Rule]], keeps: frozenset[str], told: set[str]) -> dict[str, Any]:
    computed = sorted({name for name, rules in fill.items() if {"computed": True} in rules[:1]} | told)
    out = {
        "fill": {name: rules for name, rules in fill.items() if rules and name not in computed},
        "keeps": sorted(keeps),
        "computed": computed,
    }
    return {name: value for name, value in out.items() if value}


def _stored(shape: Shape, sent: Tree, answered: Tree) -> bool:
    return isinstance(answered, dict) if shape.form == "struct" else text(sent) == text(answered)


def _flat(shape: Shape, value: Tree) -> Tree:
    """What rules may look at: scalars, and lists and maps of scalars, which may be copied."""
    if shape.form == "struct":
        return {}
    return [] if shape.item and shape.item.form == "struct" else value
