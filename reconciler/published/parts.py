"""Owns how a snapshot is split into parts and joined again. Pure; must not know where parts are kept.

One part holds the rules, one the types, and one each source with all its objects, so that a push changes the part of
its own source only. Inside a part everything has a name: a reader leaves out names that it does not know and takes the
default for those that are missing. What an older reader would misread is another `manifest.FORMAT`.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec

from reconciler.canonical.form import CanonicalObject, Confidence, Mask, Range
from reconciler.embedded.document import Document
from reconciler.errors import StoreError
from reconciler.limits import PUBLISHED_UNPACKED_BYTES
from reconciler.model.objects import Provenance
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.policy.model import Policy, Rules
from reconciler.schema.pack import dump, load
from reconciler.schema.semantics import Semantics, semantics_of
from reconciler.schema.types import TypeNode
from reconciler.snapshot.model import Earlier, Entry, MemorySnapshot, SourceState
from reconciler.snapshot.rows import encode

RULES: Final = "rules"
TYPES: Final = "types"
SOURCE: Final = "source:"
UNREADABLE: Final = "SS6105"
_FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 1}]
_ID_CHARS: Final = 32
T = TypeVar("T")
# What was packed last, by the digest of what was packed: most parts are as they were.
Kept = MutableMapping[str, bytes]


class _Form(msgspec.Struct, omit_defaults=True):
    """An entry; whole numbers are places in the tables of its part."""

    kind: int
    namespace: str
    name: str
    types: int
    policy: int
    masks: int
    filled: int
    want: Any
    provenance: Provenance
    confidence: Confidence = "offline"
    reason: str = ""
    notes: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()
    dropped: tuple[tuple[tuple[str, ...], Any], ...] = ()
    documents: tuple[tuple[tuple[str, ...], Document], ...] = ()
    adopted: bool = True
    # Of an earlier form only: the newest commit that wanted it.
    last: str = ""


class _Tables(msgspec.Struct, omit_defaults=True):
    """What many objects of a source have in common, each once."""

    kinds: tuple[KindInfo, ...] = ()
    types: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()
    masks: tuple[tuple[Mask, ...], ...] = ()
    filled: tuple[dict[str, Any], ...] = ()


class _Source(msgspec.Struct, omit_defaults=True):
    name: str
    tables: _Tables
    state: SourceState | None = None
    entries: tuple[_Form, ...] = ()
    earlier: tuple[_Form, ...] = ()


class _Common(msgspec.Struct, omit_defaults=True):
    """`earlier`: runs of (source, how many) in which the earlier forms of all sources follow each other."""

    rules: Rules
    earlier: tuple[tuple[str, int], ...] = ()


_COMMON = msgspec.json.Decoder(_Common)
_SOURCE = msgspec.json.Decoder(_Source)
_TYPES = msgspec.json.Decoder(dict[str, dict[str, Any]])


def split(snapshot: MemorySnapshot, kept: Kept | None = None) -> dict[str, bytes]:
    """The parts of a snapshot by name, packed. Equal snapshots give equal parts; the order of entries does not count.

    `kept` is filled with what was packed, and spares packing again what has not changed.
    """
    types, plain = _Types(), dict[str, bytes]()
    named = set(snapshot.sources) | {one.source for one in snapshot.entries}
    named |= {one.entry.source for one in snapshot.before}
    for name in sorted(named):
        plain[SOURCE + name] = encode(_source(snapshot, name, types))
    plain[TYPES] = encode(types.trees)
    plain[RULES] = encode(_Common(snapshot.rules, tuple(_runs(one.entry.source for one in snapshot.before))))
    before = {} if kept is None else dict(kept)
    packed, named_by = dict[str, bytes](), dict[str, bytes]()
    for name, data in plain.items():
        digest = sha256(data).hexdigest()
        named_by[digest] = packed[name] = before.get(digest) or lzma.compress(data, lzma.FORMAT_XZ, filters=_FILTERS)
    if kept is not None:
        kept.clear()
        kept.update(named_by)
    return packed


def joined(parts: Mapping[str, bytes], secret_key: bytes) -> MemorySnapshot:
    """The snapshot of these parts, entries by ref. Raises StoreError (SS6105) for what this version cannot read."""
    try:
        return _Reader(parts).snapshot(secret_key)
    except (msgspec.MsgspecError, lzma.LZMAError, LookupError, TypeError, ValueError, EOFError) as error:
        why = f"what is published cannot be read by this version: {type(error).__name__}"
        raise StoreError(
            why, hint="the last good snapshot holds; let all replicas run one version", code=UNREADABLE
        ) from error


def _runs(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    last, count = "", 0
    for name in names:
        if count and name != last:
            yield last, count
            count = 0
        last, count = name, count + 1
    if count:
        yield last, count


@dataclass(slots=True)
class _Types:
    """All types of a snapshot by a name made of their content."""

    trees: dict[str, Any] = field(default_factory=dict)
    _known: dict[int, str] = field(default_factory=dict)

    def name(self, node: TypeNode) -> str:
        """The name of `node`, which is kept."""
        found = self._known.get(id(node))
        if found is None:
            tree = dump(node)
            found = self._known[id(node)] = sha256(encode(tree)).hexdigest()[:_ID_CHARS]
            self.trees[found] = tree
        return found


@dataclass(slots=True)
class _Table:
    """Values in the order of their first use."""

    values: list[Any] = field(default_factory=list)
    _places: dict[bytes, int] = field(default_factory=dict)
    _known: dict[int, int] = field(default_factory=dict)

    def place(self, value: Any) -> int:
        """Where `value`, or an equal one, stands."""
        found = self._known.get(id(value))
        if found is None:
            found = self._places.setdefault(encode(value), len(self.values))
            if found == len(self.values):
                self.values.append(value)
            self._known[id(value)] = found
        return found


def _source(snapshot: MemorySnapshot, name: str, types: _Types) -> _Source:
    tables = {name: _Table() for name in _Tables.__struct_fields__}

    def form(entry: Entry, last: str = "") -> _Form:
        obj = entry.object
        return _Form(
            kind=tables["kinds"].place(obj.kind),
            namespace=obj.ref.namespace,
            name=obj.ref.name,
            types=tables["types"].place(types.name(obj.types)),
            policy=tables["policies"].place(entry.policy),
            masks=tables["masks"].place(obj.masks),
            filled=tables["filled"].place(obj.filled),
            want=obj.want,
            provenance=obj.provenance,
            confidence=obj.confidence,
            reason=obj.reason,
            notes=obj.notes,
            ranges=obj.ranges,
            dropped=tuple(obj.dropped.items()),
            documents=tuple(obj.documents.items()),
            adopted=entry.adopted,
            last=last,
        )

    own = sorted((one for one in snapshot.entries if one.source == name), key=_order)
    entries = tuple(form(one) for one in own)
    earlier = tuple(form(one.entry, one.last) for one in snapshot.before if one.entry.source == name)
    filled = _Tables(**{name: tuple(table.values) for name, table in tables.items()})
    return _Source(name, filled, snapshot.sources.get(name), entries, earlier)


def _order(entry: Entry) -> tuple[ObjectRef, str]:
    return entry.object.ref, entry.object.kind.resource


class _Reader:
    def __init__(self, parts: Mapping[str, bytes]) -> None:
        self._common = _COMMON.decode(_unpacked(parts[RULES]))
        self._trees = _TYPES.decode(_unpacked(parts[TYPES]))
        self._sources = [_unpacked(parts[name]) for name in sorted(parts) if name.startswith(SOURCE)]
        self._types = cache(lambda name: load(self._trees[name]))
        self._semantics = cache(self._said)

    def snapshot(self, secret_key: bytes) -> MemorySnapshot:
        """All of it."""
        entries, states, earlier = list[Entry](), dict[str, SourceState](), dict[str, Iterator[Earlier]]()
        for data in self._sources:
            source = _SOURCE.decode(data)
            entries += [self._entry(one, source) for one in source.entries]
            earlier[source.name] = iter([Earlier(self._entry(one, source), one.last) for one in source.earlier])
            if source.state is not None:
                states[source.name] = source.state
        before = tuple(_next(earlier[name]) for name, count in self._common.earlier for _ in range(count))
        entries.sort(key=_order)
        return MemorySnapshot(tuple(entries), self._common.rules, states, secret_key, before=before)

    def _entry(self, one: _Form, source: _Source) -> Entry:
        tables = source.tables
        kind, types = tables.kinds[one.kind], self._types(tables.types[one.types])
        form = CanonicalObject(
            ref=ObjectRef(kind.group, kind.kind, one.namespace, one.name),
            kind=kind,
            want=one.want,
            filled=tables.filled[one.filled],
            provenance=one.provenance,
            confidence=one.confidence,
            reason=one.reason,
            masks=tables.masks[one.masks],
            types=types,
            notes=one.notes,
            ranges=one.ranges,
            semantics=self._semantics(kind.group, kind.kind, types.custom),
            dropped=dict(one.dropped),
            documents=dict(one.documents),
        )
        return Entry(form, tables.policies[one.policy], one.adopted)

    def _said(self, group: str, kind: str, custom: bool) -> Semantics:
        return semantics_of(self._common.rules, group, kind, custom=custom)


def _next(found: Iterator[T]) -> T:
    """A run that is longer than what there is of its source."""
    for one in found:
        return one
    raise ValueError("fewer earlier forms than the order names")


def _unpacked(data: bytes) -> bytes:
    """A part as it was before packing; never more than a snapshot may hold."""
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    plain = reader.decompress(data, PUBLISHED_UNPACKED_BYTES)
    if not reader.eof or reader.unused_data:
        raise ValueError("cut, or larger than a part may be")
    return plain
