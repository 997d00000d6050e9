"""Owns one try to put one object back: read it, ask the API server by a dry-run, look at its answer, write.

Must not choose objects, wait, or remember. What would not end as Git says is never written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconciler.cluster.api import ApiClient
from reconciler.cluster.apply import write
from reconciler.cluster.live import get_live
from reconciler.cluster.refusal import without_values
from reconciler.cluster.registered import read_registered
from reconciler.errors import ApiError
from reconciler.heal.may import barred_as_it_is
from reconciler.heal.plan import Correction, NoWayError, corrections, creation
from reconciler.limits import HEAL_PATHS, HEAL_TRIES
from reconciler.model.objects import RenderedObject
from reconciler.model.tree import Tree, dig
from reconciler.render.embedded_loader import load_embedded
from reconciler.report.scope import drift_of
from reconciler.snapshot.model import Entry, MemorySnapshot


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a try: what was `done`, else `failed` or `barred` say why not; none of them: nothing differs."""

    done: Correction | None = None
    failed: str = ""
    barred: str = ""


@dataclass(frozen=True, slots=True)
class Healer:
    """Who writes, as an identity of its own, and who reads."""

    writer: ApiClient
    reader: ApiClient

    def off(self) -> str:
        """Since when and by whom the guard is switched off, "" where it is not. Raises ClusterError."""
        return read_registered(self.reader).off

    def correct(self, entry: Entry, rendered: RenderedObject | None, snapshot: MemorySnapshot) -> Outcome:
        """Put it back. `rendered` is what Git says with Secrets in clear, None where nobody has it.

        Raises UnreachableError, and ApiError where it cannot be read.
        """
        ref, kind = entry.ref, entry.object.kind
        live = get_live(self.reader, kind, ref.namespace, ref.name)
        for _ in range(HEAL_TRIES):
            outcome = self._once(entry, rendered, snapshot, live)
            if not outcome.failed:
                return outcome
            now = get_live(self.reader, kind, ref.namespace, ref.name)
            if _version(now) == _version(live):
                return outcome
            live = now  # somebody wrote to it meanwhile: what was planned is not for this object any more
        return Outcome(failed="others change it faster than it can be put back")

    def _once(
        self, entry: Entry, rendered: RenderedObject | None, snapshot: MemorySnapshot, live: Tree | None
    ) -> Outcome:
        if why := barred_as_it_is(entry, live):
            return Outcome(barred=why)
        try:
            return self._written(entry, _ways(entry, rendered, snapshot, live), snapshot)
        except NoWayError as error:
            return Outcome(failed=str(error))

    def _written(self, entry: Entry, ways: Iterable[Correction], snapshot: MemorySnapshot) -> Outcome:
        failed = ""
        for way in ways:
            try:
                would = write(self.writer, entry.object.kind, entry.ref, way, dry_run=True)
                if left := drift_of(entry, would, snapshot, load_embedded).changes:
                    failed = f"it would still differ from Git: {', '.join(one.field for one in left[:HEAL_PATHS])}"
                    continue
                write(self.writer, entry.object.kind, entry.ref, way, dry_run=False)
            except ApiError as error:
                failed = without_values(error)
            else:
                return Outcome(done=way)
        return Outcome(failed=failed)


def _ways(
    entry: Entry, rendered: RenderedObject | None, snapshot: MemorySnapshot, live: Tree | None
) -> Iterator[Correction]:
    """None where nothing differs. Raises NoWayError."""
    if live is None:
        if rendered is None:
            raise NoWayError("Git has not been rendered since the restart")
        yield creation(entry, rendered)
    else:
        yield from corrections(entry, live, rendered, lambda tree: drift_of(entry, tree, snapshot, load_embedded))


def _version(live: Tree | None) -> Tree:
    return dig(live, "metadata", "resourceVersion")
