"""Owns the canonical form: the object after normalization, with its declared field set and masks.

Only `reconciler.canonical` makes one. Must not compare or decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from reconciler.embedded.document import Document
from reconciler.model.objects import Provenance
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree, child
from reconciler.policy.model import Condition, Subject
from reconciler.schema.semantics import NOTHING_SAID, Semantics
from reconciler.schema.types import PLAIN, TypeNode

Confidence = Literal["offline", "server"]

# A trie of FieldsV1 names (`f:spec`, `k:{"name":"app"}`): a leaf is an empty mapping and means "this and all below".
FieldTrie = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mask:
    """Paths of one object hidden from comparison by a named rule; only `to` may change them.

    `path` holds pointer elements; "*" stands for one element, a final "**" for everything below. `allocated`: the API
    server itself gives or takes the value inside anyone's write, so only a change of one value into another is judged.
    `extra`: it hides only what Git does not declare at this place. `value`: it hides only live values that fit
    (`reconciler.canonical.masks.hides` asks both). `manager`: it hides only fields that managedFields give to it.
    """

    path: tuple[str, ...]
    rule: str
    reason: str
    to: tuple[Subject, ...] = ()
    allocated: bool = False
    extra: bool = False
    value: Condition = ()
    manager: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """A number that an autoscaler which Git declares may set: `low` to `high`, both included; want stays Git's own."""

    path: tuple[str, ...]
    low: int
    high: int
    rule: str
    to: tuple[Subject, ...]

    def admits(self, value: Tree) -> bool:
        """True for a whole number within the bounds."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class CanonicalObject:
    """What an object must be.

    `want` is the canonical tree: what Git declares plus, with confidence "server", what the API server adds.
    `filled` marks the part of `want` that Git does not declare (defaults, trusted mutations); the rest is declared.
    Secret values in `want` are keyed hashes (`hmac:<hex>`), never bytes. `invalid` says why the API server will refuse
    the manifest; it never leaves this process. `dropped` holds declared fields that no schema knows, by path (names,
    and items as FieldsV1 spells them), of Secrets none. `documents` are those inside strings of `want`, by place.
    """

    ref: ObjectRef
    kind: KindInfo
    want: Tree
    filled: FieldTrie
    provenance: Provenance
    confidence: Confidence = "offline"
    reason: str = ""
    masks: tuple[Mask, ...] = ()
    types: TypeNode = PLAIN
    notes: tuple[str, ...] = field(default=())
    ranges: tuple[Range, ...] = ()
    semantics: Semantics = field(default=NOTHING_SAID, compare=False)
    invalid: tuple[str, ...] = field(default=(), compare=False)
    dropped: Mapping[tuple[str, ...], Tree] = field(default_factory=dict, compare=False)
    documents: Mapping[tuple[str, ...], Document] = field(default_factory=dict, compare=False)

    @property
    def metadata(self) -> Tree:
        """What Git declares of metadata; ABSENT for nothing."""
        return child(self.want, "metadata")
