"""Owns the format of a snapshot file: SQL schema, and the encoding of entries to rows and back. Must not open files.

A row begins with what most decisions need, followed by a header and the canonical tree, which may be large; types and
policies stand once each in side tables. FORMAT changes with every change that an older reader would misread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from reconciler.canonical.form import CanonicalObject, Confidence, Mask, Range
from reconciler.embedded.document import Document
from reconciler.model.objects import Provenance
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.model import Policy, Rules
from reconciler.schema.semantics import Semantics
from reconciler.schema.types import TypeNode
from reconciler.snapshot.model import Entry, SourceState

FORMAT: Final = "7"
_PARTS_KEPT: Final = 128
_PART_BYTES: Final = 2048
_ENTRY: Final = """
  grp TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
  kind TEXT NOT NULL, version TEXT NOT NULL, source TEXT NOT NULL, policy INTEGER NOT NULL, types INTEGER NOT NULL,
  adopted INTEGER NOT NULL, metadata BLOB NOT NULL, header BLOB NOT NULL, want BLOB NOT NULL"""
# With rowids, on purpose: in a table without them SQLite reads a row whole, megabytes of it, to compare its key.
SCHEMA: Final = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE types (id INTEGER PRIMARY KEY, tree BLOB NOT NULL);
CREATE TABLE policies (id INTEGER PRIMARY KEY, policy BLOB NOT NULL);
CREATE TABLE objects ({_ENTRY},
  PRIMARY KEY (grp, resource, namespace, name)
);
CREATE TABLE earlier ({_ENTRY}, last TEXT NOT NULL, place INTEGER NOT NULL,
  PRIMARY KEY (grp, resource, namespace, name, place)
);
CREATE INDEX by_namespace ON objects (namespace, grp, kind, name, policy, adopted);
CREATE INDEX by_kind ON objects (grp, kind, version, policy);
"""
INSERT: Final = "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_EARLIER: Final = "INSERT INTO earlier VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COLUMNS: Final = (
    "grp, resource, namespace, name, kind, version, source, policy, types, adopted, metadata, header, want"
)
_BY_KEY: Final = "FROM objects WHERE grp = ? AND resource = ? AND namespace = ? AND name = ?"
FIND: Final = f"SELECT rowid, kind, version, source, policy, adopted, metadata {_BY_KEY}"
READ: Final = "SELECT types, header, want FROM objects WHERE rowid = ?"
BY_REF: Final = f"SELECT {_COLUMNS} FROM objects WHERE grp = ? AND kind = ? AND namespace = ? AND name = ?"  # noqa: S608
ALL: Final = f"SELECT {_COLUMNS} FROM objects ORDER BY grp, resource, namespace, name"  # noqa: S608
EARLIER: Final = f"""SELECT {_COLUMNS}, last FROM earlier
  WHERE grp = ? AND resource = ? AND namespace = ? AND name = ? ORDER BY place"""  # noqa: S608
ALL_EARLIER: Final = f"SELECT {_COLUMNS}, last FROM earlier ORDER BY place"  # noqa: S608
# What would go along with a namespace, or with a resource (its group and name): some refs, and all policies.
IN_NAMESPACE: Final = "namespace = ? AND namespace <> ''"
OF_RESOURCE: Final = "grp = ? AND resource = ?"
OF_GROUP: Final = "grp = ?"
REFS: Final = "SELECT grp, kind, namespace, name FROM objects WHERE {} ORDER BY 1, 2, 3, 4 LIMIT {}"
POLICIES: Final = "SELECT DISTINCT policy, adopted FROM objects WHERE {}"
EXCLUSIVE: Final = "SELECT DISTINCT policy FROM objects WHERE grp = ? AND kind = ?"
OF_KIND: Final = "SELECT grp, kind, namespace, name FROM objects WHERE grp = ? AND kind = ? ORDER BY 3, 4"
VERSION: Final = "SELECT 1 FROM objects WHERE grp = ? AND version = ? AND kind = ? LIMIT 1"


class Header(msgspec.Struct, omit_defaults=True, array_like=True):
    """All of a canonical object but its tree, type and identity."""

    kind: KindInfo
    provenance: Provenance
    confidence: Confidence
    filled: dict[str, Any]
    masks: tuple[Mask, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()
    dropped: tuple[tuple[tuple[str, ...], Any], ...] = ()
    documents: tuple[tuple[tuple[str, ...], Document], ...] = ()


class Row(NamedTuple):
    """One row of `objects`, and the first columns of one of `earlier`. `want` is without its metadata."""

    grp: str
    resource: str
    namespace: str
    name: str
    kind: str
    version: str
    source: str
    policy: int
    types: int
    adopted: int
    metadata: bytes
    header: bytes
    want: bytes


class _Stored(msgspec.Struct, array_like=True):
    """A Header whose parts that many objects have in common are still bytes."""

    kind: msgspec.Raw
    provenance: Provenance
    confidence: Confidence
    filled: msgspec.Raw
    masks: msgspec.Raw = msgspec.Raw(b"[]")
    reason: str = ""
    notes: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()
    dropped: tuple[tuple[tuple[str, ...], Any], ...] = ()
    documents: tuple[tuple[tuple[str, ...], Document], ...] = ()


_HEADER = msgspec.json.Decoder(_Stored)
_TREE = msgspec.json.Decoder()
_POLICY = msgspec.json.Decoder(Policy)
_RULES = msgspec.json.Decoder(Rules)
_SOURCES = msgspec.json.Decoder(dict[str, SourceState])
encode: Final[Callable[[Any], bytes]] = msgspec.json.Encoder(order="deterministic").encode


def to_row(entry: Entry, policy: int, types: int) -> Row:
    """An entry as a row, given the ids of its policy and type in the side tables."""
    obj = entry.object
    header = Header(
        *(obj.kind, obj.provenance, obj.confidence, dict(obj.filled), obj.masks, obj.reason, obj.notes, obj.ranges),
        tuple(obj.dropped.items()),
        tuple(obj.documents.items()),
    )
    ref, kind = obj.ref, obj.kind
    content = {key: value for key, value in obj.want.items() if key != "metadata"}
    return Row(
        *(ref.group, kind.resource, ref.namespace, ref.name, ref.kind, kind.version, entry.source),
        *(policy, types, int(entry.adopted), encode(obj.want.get("metadata")), encode(header), encode(content)),
    )


def from_row(row: Row, policy: Policy, types: TypeNode, semantics: Semantics) -> Entry:
    """The entry that `to_row` wrote; `semantics` are those that the snapshot's rules say of its kind."""
    ref = ObjectRef(row.grp, row.kind, row.namespace, row.name)
    obj = form_of(ref, metadata_of(row.metadata), row.header, row.want, types, semantics)
    return Entry(obj, policy, bool(row.adopted))


def form_of(
    ref: ObjectRef, metadata: Tree, header: bytes, want: bytes, types: TypeNode, semantics: Semantics
) -> CanonicalObject:
    """The canonical form of one row, of which `metadata` is read already."""
    stored, content = _HEADER.decode(header), _TREE.decode(want)
    return CanonicalObject(
        ref=ref,
        kind=_kind(stored.kind),
        want=content if metadata is ABSENT else {**content, "metadata": metadata},
        filled=_filled(stored.filled),
        provenance=stored.provenance,
        confidence=stored.confidence,
        reason=stored.reason,
        masks=_masks(stored.masks),
        types=types,
        notes=stored.notes,
        ranges=stored.ranges,
        semantics=semantics,
        dropped=dict(stored.dropped),
        documents=dict(stored.documents),
    )


_Part = TypeVar("_Part")


def _in_common(decode: Callable[[bytes], _Part]) -> Callable[[msgspec.Raw], _Part]:
    """Decodes a part that objects of one kind mostly share; the last short ones are kept, and must not be changed."""
    kept = lru_cache(_PARTS_KEPT)(decode)
    return lambda raw: kept(bytes(raw)) if len(raw) <= _PART_BYTES else decode(bytes(raw))


_kind: Final = _in_common(msgspec.json.Decoder(KindInfo).decode)
_filled: Final = _in_common(msgspec.json.Decoder(dict[str, Any]).decode)
_masks: Final = _in_common(msgspec.json.Decoder(tuple[Mask, ...]).decode)


def metadata_of(column: bytes) -> Tree:
    """What Git declares of metadata; ABSENT for nothing."""
    metadata = _TREE.decode(column)
    return ABSENT if metadata is None else metadata


def key_id(secret_key: bytes) -> str:
    """A name for the key of Secret values that does not give it away; "" for no key."""
    return hashlib.sha256(b"setscrew key id" + secret_key).hexdigest()[:16] if secret_key else ""


@dataclass(frozen=True, slots=True)
class Meta:
    """What holds for a whole snapshot."""

    format: str
    rules: Rules
    sources: Mapping[str, SourceState]
    key_id: str

    def dump(self) -> dict[str, bytes]:
        """Rows of the table `meta`."""
        return {
            "format": self.format.encode(),
            "rules": encode(self.rules),
            "sources": encode(dict(self.sources)),
            "key_id": self.key_id.encode(),
        }


def load_meta(rows: Mapping[str, bytes]) -> Meta:
    """Read `meta` back. Raises KeyError or msgspec.MsgspecError on a damaged file."""
    return Meta(
        rows["format"].decode(), _RULES.decode(rows["rules"]), _SOURCES.decode(rows["sources"]), rows["key_id"].decode()
    )


def load_policy(data: bytes) -> Policy:
    """A row of `policies`."""
    return _POLICY.decode(data)


def load_tree(data: bytes) -> Any:
    """A JSON column."""
    return _TREE.decode(data)
