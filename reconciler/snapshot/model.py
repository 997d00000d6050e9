"""Owns the snapshot: all desired objects at one revision of every source, as decisions and comparisons read it.

Must not do I/O: `reconciler.store.snapshot_file` writes it, `webhook.server.feed` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from reconciler.canonical.form import CanonicalObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from reconciler.policy.model import Policy, Rules

# Enough for people to see what would go along; the rest is counted.
SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Adopter:
    """The object by which a tool applies a source: Flux's Kustomization or HelmRelease, Argo CD's Application."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


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
    adopter: Adopter = Adopter()
    # Commits that were enforced or passed over before this one, newest first, with their subjects; the current first.
    history: tuple[tuple[str, str], ...] = ()
    # False: a new source on a cluster with drift is only watched, until `setscrew enforce`.
    enforced: bool = True
    # Since when (RFC 3339) Git could not be followed, where that is long: last good holds, and denials say so.
    stale: str = ""

    def same_as(self, other: SourceState | None) -> bool:
        """True if both declare the same: how it came to that, and how far it is enforced, do not count."""
        if other is None:
            return False
        return replace(self, history=other.history, enforced=other.enforced, stale=other.stale) == other


@dataclass(frozen=True, slots=True)
class Entry:
    """A guarded object and the policy that guards it. `adopted` False: reported, not yet enforced."""

    object: CanonicalObject
    policy: Policy
    adopted: bool = True

    @property
    def ref(self) -> ObjectRef:
        """Which object it is."""
        return self.object.ref

    @property
    def version(self) -> str:
        """The API version that Git declares it in, `v1`."""
        return self.object.kind.version

    @property
    def source(self) -> str:
        """The name of the source that declares it."""
        return self.object.provenance.source

    @property
    def metadata(self) -> Tree:
        """What Git declares of its metadata."""
        return self.object.metadata


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier revision of its source wanted of an object; `last` is the newest commit that still did."""

    entry: Entry
    last: str


@dataclass(frozen=True, slots=True)
class Taken:
    """Guarded objects that would go along with their namespace, definition or API.

    `shown` are up to 10 of them, sorted; `enforced` are the policies of all that are adopted, `reported` of the others.
    """

    shown: tuple[ObjectRef, ...] = ()
    enforced: tuple[Policy, ...] = ()
    reported: tuple[Policy, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.shown)


def taken(rows: Iterable[tuple[ObjectRef, Policy, bool]]) -> Taken:
    """Gather rows of (ref, policy, adopted)."""
    rows = list(rows)
    policies = [{policy for _, policy, adopted in rows if adopted is wanted} for wanted in (True, False)]
    enforced, reported = (tuple(sorted(some, key=lambda policy: policy.name)) for some in policies)
    return Taken(tuple(sorted(ref for ref, _, _ in rows)[:SHOWN]), enforced, reported)


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

    def earlier(self, group: str, resource: str, namespace: str, name: str) -> tuple[Earlier, ...]:
        """What the last revisions wanted of that object where it differed from now, newest first."""

    def by_ref(self, ref: ObjectRef) -> Entry | None:
        """The guarded object of that group, kind, namespace and name, or None."""

    def inside_namespace(self, namespace: str) -> Taken:
        """What guarded objects stand in that namespace; nothing for ""."""

    def of_resource(self, group: str, resource: str) -> Taken:
        """What guarded objects there are of that resource ("" = any of the group)."""

    def exclusive_policies(self, group: str, kind: str) -> tuple[Policy, ...]:
        """The policies that make that kind exclusive, if Git declares at least one object of it; sorted by name."""

    def declares_version(self, group: str, version: str, kind: str) -> bool:
        """True if Git declares an object of that kind in that version."""

    def refs_of(self, group: str, kind: str) -> tuple[ObjectRef, ...]:
        """All guarded objects of that kind, sorted."""


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """A snapshot held in memory: for `review --desired`, tests, and as the writer's input."""

    entries: tuple[Entry, ...]
    rules: Rules
    sources: Mapping[str, SourceState] = field(default_factory=dict)
    secret_key: bytes = b""
    digest: str = ""
    before: tuple[Earlier, ...] = ()
    _index: dict[tuple[str, str, str, str], Entry] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._index.update(((*_key(entry.object),), entry) for entry in self.entries)

    def find(self, group: str, resource: str, namespace: str, name: str) -> Entry | None:
        """See `SnapshotView.find`."""
        return self._index.get((group, resource, namespace, name))

    def earlier(self, group: str, resource: str, namespace: str, name: str) -> tuple[Earlier, ...]:
        """See `SnapshotView.earlier`."""
        wanted = (group, resource, namespace, name)
        return tuple(one for one in self.before if _key(one.entry.object) == wanted)

    def by_ref(self, ref: ObjectRef) -> Entry | None:
        """See `SnapshotView.by_ref`."""
        return next((entry for entry in self.entries if entry.object.ref == ref), None)

    def inside_namespace(self, namespace: str) -> Taken:
        """See `SnapshotView.inside_namespace`."""
        return self._taken(lambda obj: bool(namespace) and obj.ref.namespace == namespace)

    def of_resource(self, group: str, resource: str) -> Taken:
        """See `SnapshotView.of_resource`."""
        return self._taken(lambda obj: obj.ref.group == group and resource in ("", obj.kind.resource))

    def exclusive_policies(self, group: str, kind: str) -> tuple[Policy, ...]:
        """See `SnapshotView.exclusive_policies`."""
        of_kind = [one for one in self.entries if (one.object.ref.group, one.object.ref.kind) == (group, kind)]
        found = {one.policy for one in of_kind if one.policy.exclusive}
        return tuple(sorted(found, key=lambda policy: policy.name))

    def declares_version(self, group: str, version: str, kind: str) -> bool:
        """See `SnapshotView.declares_version`."""
        wanted = (group, version, kind)
        return any((one.kind.group, one.kind.version, one.ref.kind) == wanted for one in map(_object, self.entries))

    def refs_of(self, group: str, kind: str) -> tuple[ObjectRef, ...]:
        """See `SnapshotView.refs_of`."""
        return tuple(sorted(one.ref for one in self.entries if (one.ref.group, one.ref.kind) == (group, kind)))

    def _taken(self, chosen: Callable[[CanonicalObject], bool]) -> Taken:
        return taken((one.object.ref, one.policy, one.adopted) for one in self.entries if chosen(one.object))


def _key(obj: CanonicalObject) -> tuple[str, str, str, str]:
    return obj.ref.group, obj.kind.resource, obj.ref.namespace, obj.ref.name


def _object(entry: Entry) -> CanonicalObject:
    return entry.object
