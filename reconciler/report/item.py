"""Owns the step from a comparison to a finding: masks, blame, source. Must not compare, nor read a clock.

Nothing of an object reaches a finding but through `printable`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from reconciler.compare.blame import blame
from reconciler.compare.comparison import Change, Comparison
from reconciler.compare.mask import MASK, SECRET_NAME
from reconciler.limits import REPORT_CHANGES
from reconciler.model.instant import stamp
from reconciler.model.path import ItemKey, Path
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, dig
from reconciler.report.drift import (
    DEFAULT_CLUSTER,
    Attribution,
    DriftChange,
    DriftItem,
    DriftSource,
    DriftState,
    IgnoredField,
    finding_id,
    sha256,
)
from reconciler.report.printable import conceal, is_masked, mask_leaves, printable
from reconciler.snapshot.model import Entry, SourceState


def drift_item(
    entry: Entry,
    comparison: Comparison | None,
    live: Tree,
    *,
    now: datetime,
    first_seen: str = "",
    source: SourceState | None = None,
    patch: Sequence[Mapping[str, Any]] = (),
    attribution: Attribution | None = None,
    reason: str = "",
    cluster: str = DEFAULT_CLUSTER,
) -> DriftItem:
    """The finding of one guarded object, in sync or not.

    `live` is the object as the API server returns it, with managedFields; None or ABSENT: it is not there. Without a
    comparison of an object that is there, the state is unknown and `reason` says why. `first_seen` is that of the
    stored finding ("": now). `attribution` replaces what managedFields say (an admission record knows the person).
    """
    obj = entry.object
    there = live is not None and live is not ABSENT
    every = tuple(comparison.changes) if there and comparison else ()
    found = every[:REPORT_CHANGES]
    changes = tuple(_change(obj.ref, change, live) for change in found)
    identity = finding_id(obj.ref, cluster)
    at = stamp(now)
    state, declared = _state(there, comparison), declared_at(entry, source)
    return DriftItem(
        id=identity,
        fingerprint=sha256([identity, state, [_print_of(obj.ref, change) for change in found]]),
        api_version=obj.kind.api_version,
        kind=obj.ref.kind,
        namespace=obj.ref.namespace,
        name=obj.ref.name,
        state=state,
        source=declared,
        changes=changes,
        attribution=attribution or _attribution(changes),
        first_seen=first_seen or at,
        last_seen=at,
        reason=str(printable(reason or obj.reason)),
        confidence=obj.confidence,
        patch=_safe_patch(patch, obj.ref, every),
        hidden=dict(sorted(Counter(one.rule for one in comparison.hidden).items())) if there and comparison else {},
        adopted=entry.adopted,
        ignored=_ignored(comparison) if changes and comparison else (),
        cluster=cluster,
        desired_revision=declared.revision,
        **versions_of(live),
    )


def stray_item(ref: ObjectRef, live: Tree, policy: str, *, now: datetime, cluster: str = DEFAULT_CLUSTER) -> DriftItem:
    """The finding of an object that Git does not declare, of a kind that `policy` makes exclusive."""
    identity = finding_id(ref, cluster)
    at = stamp(now)
    return DriftItem(
        id=identity,
        fingerprint=sha256([identity, "extra"]),
        api_version=str(printable(dig(live, "apiVersion"))),
        kind=ref.kind,
        namespace=ref.namespace,
        name=ref.name,
        state="extra",
        attribution=_creator(live),
        first_seen=at,
        last_seen=at,
        reason=f"Git does not declare it, and policy {policy} makes the kind exclusive",
        confidence="server",
        cluster=cluster,
        **versions_of(live),
    )


def versions_of(live: Tree) -> dict[str, Any]:
    """Which object, and which state of it, was compared."""
    version, generation = dig(live, "metadata", "resourceVersion"), dig(live, "metadata", "generation")
    return {
        "uid": _uid(live),
        "live_resource_version": str(printable(version)) if isinstance(version, str) else "",
        "live_generation": generation if isinstance(generation, int) else 0,
    }


def _creator(live: Tree) -> Attribution:
    """When the object was made, and the manager of the oldest entry of managedFields: by whom, as far as it is kept."""
    born, entries = (dig(live, "metadata", name) for name in ("creationTimestamp", "managedFields"))
    timed = (
        [entry for entry in entries if isinstance(entry, dict) and entry.get("time")]
        if isinstance(entries, list)
        else []
    )
    at = str(printable(born)) if isinstance(born, str) else ""
    if not timed:
        return Attribution(time=at)
    first = min(timed, key=lambda entry: str(entry["time"]))
    manager = str(printable(first.get("manager", "")))
    return Attribution(manager, time=at or str(first["time"]), confidence="managedFields")


def public_url(url: str) -> str:
    """The URL without user, password, query and fragment: people paste tokens into each of these."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, host, parts.path, "", "")) if parts.scheme else url.rpartition("@")[2]


def _uid(live: Tree) -> str:
    found = dig(live, "metadata", "uid")
    return str(printable(found)) if isinstance(found, str) else ""


def _ignored(comparison: Comparison) -> tuple[IgnoredField, ...]:
    return tuple(
        IgnoredField(*(str(printable(text)) for text in (one.field, one.klass, one.rule, one.reason)))
        for one in comparison.hidden[:REPORT_CHANGES]
    )


def _state(there: bool, comparison: Comparison | None) -> DriftState:
    if not there:
        return "missing"
    if comparison is None:
        return "unknown"
    return "drifted" if comparison.changes else "in-sync"


def _change(ref: ObjectRef, change: Change, live: Tree) -> DriftChange:
    holder = blame(dig(live, "metadata", "managedFields"), change.place, change.live)
    desired, now = (_shown(ref, change.place, value) for value in (change.desired, change.live))
    return DriftChange(
        path=str(printable(change.path)),
        op=change.op,
        desired=desired,
        live=now,
        klass=change.klass,
        manager=str(printable(holder.manager)) if holder else "",
        operation=holder.operation if holder else "",
        time=holder.time if holder else "",
        field=str(printable(change.field)),
        embedded=str(printable(change.embedded)),
        subresource=str(printable(holder.subresource)) if holder else "",
        masked=is_masked(desired) or is_masked(now),
    )


def _print_of(ref: ObjectRef, change: Change) -> list[Any]:
    # Keyed hashes stay in, so that a second change of the same Secret is a new fingerprint; plain secrets do not, since
    # a digest of a short value can be guessed.
    values = (concealed(ref, change.place, value) for value in (change.desired, change.live))
    return [change.field, change.op, *("absent" if value is ABSENT else [value] for value in values)]


def _shown(ref: ObjectRef, path: Path, value: Tree) -> Tree:
    return ABSENT if value is ABSENT else printable(concealed(ref, path, value))


def concealed(ref: ObjectRef, path: Path, value: Tree) -> Tree:
    """The value at `path` of the object with its secrets masked; keyed hashes stay, `printable` masks these."""
    if value is ABSENT:
        return ABSENT
    if _in_secret(ref, path):
        return mask_leaves(value)
    return MASK if isinstance(value, str) and _is_secret_env(path) else conceal(value)


def _in_secret(ref: ObjectRef, path: Path) -> bool:
    # Of a Secret only these may be shown; annotations may hold a copy of its data (last-applied-configuration).
    if (ref.group, ref.kind) != ("", "Secret"):
        return False
    return path[:2] != ("metadata", "labels") and path[:1] not in {("type",), ("immutable",)}


def _is_secret_env(path: Path) -> bool:
    item = path[-2] if len(path) > 1 and path[-1] == "value" else None
    return isinstance(item, ItemKey) and any(
        key == "name" and SECRET_NAME.search(str(name)) is not None for key, name in item.pairs
    )


def _attribution(changes: Sequence[DriftChange]) -> Attribution:
    named = [change for change in changes if change.manager]
    if not named:
        return Attribution()
    last = max(named, key=lambda change: change.time)
    return Attribution(manager=last.manager, time=last.time, confidence="managedFields")


def declared_at(entry: Entry, source: SourceState | None) -> DriftSource:
    """Where Git declares it; `source` is the state that it was declared in."""
    origin = entry.object.provenance
    state = source or SourceState(name=origin.source, url="", path="", revision=origin.revision)
    return DriftSource(
        name=state.name,
        url=str(printable(public_url(state.url))),
        path=str(printable(state.path)),
        file=str(printable(origin.file)),
        line=origin.line,
        revision=origin.revision or state.revision,
        commit=state.commit,
        enforced=state.enforced,
        signer=str(printable(state.signer)),
    )


def _safe_patch(
    patch: Sequence[Mapping[str, Any]], ref: ObjectRef, changes: Sequence[Change]
) -> tuple[Mapping[str, Any], ...]:
    """The patch, if it can be shown whole; `changes` are all that it undoes, not only those that are reported."""
    # A patch with a mask or a cut in it would write that into the cluster: none is better.
    if (ref.group, ref.kind) == ("", "Secret"):
        return ()
    values = (_shown(ref, change.place, value) for change in changes for value in (change.desired, change.live))
    if not patch or any(is_masked(value) for value in values):
        return ()
    whole = all(printable(step.get("value")) == step.get("value") for step in patch)
    return tuple(patch) if whole else ()
