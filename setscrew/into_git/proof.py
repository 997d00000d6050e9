"""Owns the proof that a change of Git ends a drift: what the changed files render to, against what is live.

The forms and the comparison are the product's own, without dry-runs: what only a server could tell stays undecided.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.canonical.engine import Context
from reconciler.compare.comparison import Comparison
from reconciler.loop.assemble import assemble
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, strict_equal
from reconciler.render.embedded_loader import load_embedded
from reconciler.report.scope import drift_of
from reconciler.schema.catalog import CRD, Authority, Catalog
from reconciler.snapshot.model import Entry, MemorySnapshot, SnapshotView

Rendered = tuple[RenderedObject, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """Judges renders of one source by the rules and the key of `snapshot`; `namespace` is the source's."""

    snapshot: SnapshotView
    authorities: tuple[Authority, ...]
    namespace: str

    def entry(self, objects: Rendered, ref: ObjectRef) -> Entry | None:
        """The object as Git would want it, None where nothing declares it or no policy guards it."""
        found = self.snapshot_of(objects)
        return found.by_ref(ref)

    def compared(self, objects: Rendered, ref: ObjectRef, live: Tree) -> Comparison | None:
        """How live differs from what these objects say; None where they do not declare it."""
        found = self.snapshot_of(objects)
        entry = found.by_ref(ref)
        return None if entry is None else drift_of(entry, live, found, load_embedded)

    def snapshot_of(self, objects: Rendered) -> MemorySnapshot:
        """What would be enforced of these objects at once, before any dry-run."""
        crds = [one.tree for one in objects if (one.ref.group, one.ref.kind) == CRD]
        rules, key = self.snapshot.rules, self.snapshot.secret_key
        context = Context(Catalog(self.authorities, rules, crds), rules, key, self.namespace, parse=load_embedded)
        assembly = assemble([(context, objects)], rules)
        return MemorySnapshot(assembly.entries({}, {}), assembly.rules, secret_key=key)


def also_changed(before: Iterable[RenderedObject], after: Iterable[RenderedObject], but: ObjectRef) -> list[str]:
    """Other objects that a change of files changes as well; what each render makes anew does not count."""
    known = {one.ref: one for one in before}
    return [
        str(one.ref)
        for one in after
        if (one.ref.kind, one.ref.name) != (but.kind, but.name)
        and not one.generated
        and (one.ref not in known or not strict_equal(known[one.ref].tree, one.tree))
    ]
