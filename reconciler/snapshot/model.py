"""Owns the snapshot: all desired objects at one revision of every source, as decisions and comparisons read it.

Must not do I/O: `reconciler.store.snapshot_file` writes it, `webhook.server.feed` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from reconciler.canonical.form import CanonicalObject
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy, Rules


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source at one revision. `revision` is `branch@sha1:<40 hex>`, or `dir@sha256:<64 hex>` for a directory."""

    name: str
    url: str
    path: str
    revision: str
    commit: str = ""
    subject: str = ""
    signer: str = ""
    release: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A guarded object and the policy that guards it. `adopted` False: reported, not yet enforced."""

    object: CanonicalObject
    policy: Policy
    adopted: bool = True


class SnapshotView(Protocol):
    """What `decide()` may ask. Each call is one look-up; none raises for an unknown key."""

    @property
    def digest(self) -> str:
        """SHA-256 of the snapshot file, hex; "" for one in memory."""

    @property
    def sources(self) -> Mapping[str, SourceState]:
        """Sources by name."""

    @property
    def rules(self) -> Rules:
        """Built-in rules and policies that hold for the whole snapshot."""

    @property
    def secret_key(self) -> bytes:
        """HMAC-SHA256 key of this installation, for values of Secrets."""

    def find(self, group: str, resource: str, namespace: str, name: str) -> Entry | None:
        """The guarded object of that plural resource, or None."""

    def by_ref(self, ref: ObjectRef) -> Entry | None:
        """The guarded object of that group, kind, namespace and name, or None."""

    def inside_namespace(self, namespace: str) -> tuple[ObjectRef, ...]:
        """Up to 10 guarded objects whose namespace it is, sorted."""

    def of_resource(self, group: str, resource: str) -> tuple[ObjectRef, ...]:
        """Up to 10 guarded objects of that resource ("" = any of the group), sorted."""

    def exclusive_policy(self, group: str, kind: str) -> Policy | None:
        """The policy that makes that kind exclusive, if Git declares at least one object of it."""


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """A snapshot held in memory: for `review --desired`, tests, and as the writer's input."""

    entries: tuple[Entry, ...]
    rules: Rules
    sources: Mapping[str, SourceState] = field(default_factory=dict)
    secret_key: bytes = b""
    digest: str = ""
    _index: dict[tuple[str, str, str, str], Entry] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._index.update(((*_key(entry.object),), entry) for entry in self.entries)

    def find(self, group: str, resource: str, namespace: str, name: str) -> Entry | None:
        """See `SnapshotView.find`."""
        return self._index.get((group, resource, namespace, name))

    def by_ref(self, ref: ObjectRef) -> Entry | None:
        """See `SnapshotView.by_ref`."""
        return next((entry for entry in self.entries if entry.object.ref == ref), None)

    def inside_namespace(self, namespace: str) -> tuple[ObjectRef, ...]:
        """See `SnapshotView.inside_namespace`."""
        return _first(entry.object.ref for entry in self.entries if entry.object.ref.namespace == namespace)

    def of_resource(self, group: str, resource: str) -> tuple[ObjectRef, ...]:
        """See `SnapshotView.of_resource`."""
        return _first(
            entry.object.ref
            for entry in self.entries
            if entry.object.ref.group == group and resource in ("", entry.object.kind.resource)
        )

    def exclusive_policy(self, group: str, kind: str) -> Policy | None:
        """See `SnapshotView.exclusive_policy`."""
        for entry in self.entries:
            if (entry.object.ref.group, entry.object.ref.kind) == (group, kind) and entry.policy.exclusive:
                return entry.policy
        return None


def _key(obj: CanonicalObject) -> tuple[str, str, str, str]:
    return obj.ref.group, obj.kind.resource, obj.ref.namespace, obj.ref.name


def _first(refs: Iterable[ObjectRef]) -> tuple[ObjectRef, ...]:
    return tuple(sorted(refs)[:10])
