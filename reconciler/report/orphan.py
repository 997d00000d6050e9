"""Owns what Git has dropped and the cluster still holds: which objects, and the finding of one. Pure.

An object that another source declares by now was moved, not dropped; one of a source that is followed no longer was
let go by whoever configured it, not by Git; and a fragment was never Git's object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconciler.model.instant import stamp
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree, child
from reconciler.report.drift import DEFAULT_CLUSTER, DriftItem, DriftSource, finding_id, sha256
from reconciler.report.item import declared_at, versions_of
from reconciler.report.owner import naming, owner_of
from reconciler.report.printable import printable
from reconciler.snapshot.model import MemorySnapshot

# By these Git says itself that an object outlives it.
_KEEPING: Final = (
    ("helm.sh/resource-policy", "keep"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "Prune=false"),
    ("argocd.argoproj.io/sync-options", "Delete=false"),
    ("client.lifecycle.config.k8s.io/deletion", "detach"),
)


@dataclass(frozen=True, slots=True)
class Dropped:
    """An object that `revision` dropped; `source` is where it stood last, `metadata` what Git last said of its owner.

    `kept` is the annotation by which Git said that it is to stay, "" for none.
    """

    ref: ObjectRef
    kind: KindInfo
    source: DriftSource
    revision: str
    kept: str = ""
    metadata: Tree = field(default_factory=dict)


def dropped(before: MemorySnapshot, after: MemorySnapshot) -> Iterator[Dropped]:
    """What the sources declared before and declare no longer, in a later revision."""
    declared = {entry.ref for entry in after.entries}
    for entry in before.entries:
        then, now = before.sources.get(entry.source), after.sources.get(entry.source)
        followed = then is not None and now is not None and then.revision != now.revision
        if entry.ref in declared or now is None or not followed or entry.policy.fragment:
            continue
        said, owner = _kept(entry.metadata), naming(entry.metadata)
        yield Dropped(entry.ref, entry.object.kind, declared_at(entry, then), now.revision, said, owner)


def orphan_item(one: Dropped, live: Tree, *, now: datetime, cluster: str = DEFAULT_CLUSTER) -> DriftItem:
    """The finding of what is still there."""
    identity, at = finding_id(one.ref, cluster), stamp(now)
    why = f"Git declares it no longer since {one.revision}"
    kept = f"Git says that it stays: {one.kept}" if one.kept else ""
    return DriftItem(
        id=identity,
        fingerprint=sha256([identity, "orphaned"]),
        api_version=one.kind.api_version,
        kind=one.ref.kind,
        namespace=one.ref.namespace,
        name=one.ref.name,
        state="orphaned",
        source=one.source,
        first_seen=at,
        last_seen=at,
        reason=str(printable(why)),
        confidence="server",
        cluster=cluster,
        desired_revision=one.revision,
        owner=owner_of({}, one.metadata, ()),
        severity="info" if kept else "medium",
        severity_reason=str(printable(kept)),
        **versions_of(live),
    )


def _kept(metadata: Tree) -> str:
    annotations = child(metadata, "annotations")
    held = annotations if isinstance(annotations, dict) else {}
    said = ((key, value) for key, value in _KEEPING if value in str(held.get(key, "")).replace(" ", "").split(","))
    return next((f"{key}: {value}" for key, value in said), "")
