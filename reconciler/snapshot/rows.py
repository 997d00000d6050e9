"""Owns the format of a snapshot file: SQL schema, and the encoding of entries to rows and back. Must not open files.

A row is a small header plus the canonical tree; types and policies stand once each in side tables. FORMAT changes with
every change that an older reader would misread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from reconciler.canonical.form import CanonicalObject, Confidence, Mask, Range
from reconciler.model.objects import Provenance
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.policy.model import Policy, Rules
from reconciler.schema.semantics import Semantics
from reconciler.schema.types import TypeNode
from reconciler.snapshot.model import Entry, SourceState

FORMAT: Final = "4"
_ENTRY: Final = """
  grp TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
  kind TEXT NOT NULL, version TEXT NOT NULL, policy INTEGER NOT NULL, types INTEGER NOT NULL, adopted INTEGER NOT NULL,
  header BLOB NOT NULL, want BLOB NOT NULL"""
SCHEMA: Final = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE types (id INTEGER PRIMARY KEY, tree BLOB NOT NULL);
CREATE TABLE policies (id INTEGER PRIMARY KEY, policy BLOB NOT NULL);
CREATE TABLE objects ({_ENTRY},
  PRIMARY KEY (grp, resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE earlier ({_ENTRY}, last TEXT NOT NULL, place INTEGER NOT NULL,
  PRIMARY KEY (grp, resource, namespace, name, place)
) WITHOUT ROWID;
CREATE INDEX by_namespace ON objects (namespace, grp, kind, name);
"""
INSERT: Final = "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_EARLIER: Final = "INSERT INTO earlier VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
COLUMNS: Final = "grp, resource, namespace, name, kind, version, policy, types, adopted, header, want"
FIND: Final = f"SELECT {COLUMNS} FROM objects WHERE grp = ? AND resource = ? AND namespace = ? AND name = ?"  # noqa: S608 - constants
BY_REF: Final = f"SELECT {COLUMNS} FROM objects WHERE grp = ? AND kind = ? AND namespace = ? AND name = ?"  # noqa: S608
ALL: Final = f"SELECT {COLUMNS} FROM objects ORDER BY grp, resource, namespace, name"  # noqa: S608
EARLIER: Final = f"""SELECT {COLUMNS}, last FROM earlier
  WHERE grp = ? AND resource = ? AND namespace = ? AND name = ? ORDER BY place"""  # noqa: S608
ALL_EARLIER: Final = f"SELECT {COLUMNS}, last FROM earlier ORDER BY place"  # noqa: S608
# What would go along with a namespace, or with a resource (its group and name): some refs, and all policies.
IN_NAMESPACE: Final = "namespace = ? AND namespace <> ''"
OF_RESOURCE: Final = "grp = ? AND resource = ?"
OF_GROUP: Final = "grp = ?"
REFS: Final = "SELECT grp, kind, namespace, name FROM objects WHERE {} ORDER BY 1, 2, 3, 4 LIMIT {}"
POLICIES: Final = "SELECT DISTINCT policy, adopted FROM objects WHERE {}"
EXCLUSIVE: Final = "SELECT DISTINCT policy FROM objects WHERE grp = ? AND kind = ?"
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


class Row(NamedTuple):
    """One row of `objects`, and the first columns of one of `earlier`."""

    grp: str
    resource: str
    namespace: str
    name: str
    kind: str
    version: str
    policy: int
    types: int
    adopted: int
    header: bytes
    want: bytes


_HEADER = msgspec.json.Decoder(Header)
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
    )
    ref, kind = obj.ref, obj.kind
    return Row(
        *(ref.group, kind.resource, ref.namespace, ref.name, ref.kind, kind.version),
        *(policy, types, int(entry.adopted), encode(header), encode(obj.want)),
    )


def from_row(row: Row, policy: Policy, types: TypeNode, semantics: Semantics) -> Entry:
    """The entry that `to_row` wrote; `semantics` are those that the snapshot's rules say of its kind."""
    header = _HEADER.decode(row.header)
    obj = CanonicalObject(
        ref=ObjectRef(row.grp, row.kind, row.namespace, row.name),
        kind=header.kind,
        want=_TREE.decode(row.want),
        filled=header.filled,
        provenance=header.provenance,
        confidence=header.confidence,
        reason=header.reason,
        masks=header.masks,
        types=types,
        notes=header.notes,
        ranges=header.ranges,
        semantics=semantics,
        dropped=dict(header.dropped),
    )
    return Entry(obj, policy, bool(row.adopted))


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
