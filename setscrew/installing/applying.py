"""Owns applying an installation in its order, with the waits between; the first and each later one. Must not choose.

Whatever order is broken off, running it again goes on: every step is an apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from reconciler.errors import ApiError
from reconciler.model.ref import ObjectRef
from setscrew.installing import inventory as inventories
from setscrew.installing.inventory import Inventory
from setscrew.installing.objects import Document, holds_all, is_ours, ordered, ref_of
from setscrew.installing.plan import bridged, dropped
from setscrew.installing.preflight import silent
from setscrew.installing.server import Outcome, Server
from setscrew.installing.waiting import Patience, until_established, until_gone, until_rolled_out

Told = Callable[[ObjectRef, str], None]


@dataclass(slots=True)
class Applying:
    """One run. `told` hears of each object and what became of it. With no `patience` it waits for definitions only."""

    server: Server
    told: Told
    patience: Patience | None
    force: bool = False
    outcomes: dict[ObjectRef, Outcome | str] = field(default_factory=dict)
    _late: list[Document] = field(default_factory=list)

    def run(self, documents: Sequence[Document], before: Inventory, after: Inventory) -> None:
        """Apply all documents, then remove what `before` had and `after` has not. Raises ClusterError."""
        phases = ordered(documents)
        for phase, trees in phases.items():
            if phase == "identities":
                # What is begun can be removed also where it is never ended, and gone on with without choosing again.
                begun = replace(after, version=before.version, objects=before.objects | after.objects)
                self._apply(inventories.as_document(begun))
            for tree in trees if phase != "lock" else ():
                self._applied(phase, tree)
            if phase == "definitions":
                until_established(self.server, trees, self.patience or Patience(_DEFINITION_SECONDS))
        self._end(phases, before, after)

    def _applied(self, phase: str, tree: Document) -> None:
        if phase == "identities":
            tree = bridged(self.server.read(ref_of(tree)), tree)
        if phase != "levers":
            self._apply(tree)
            return
        try:
            self._apply(tree)
        except ApiError as error:
            # Our own levers fail closed: while no replica answers, what may be the cure must not wait for them.
            if not silent(error.message):
                raise
            live = self.server.read(ref_of(tree))
            if live is not None and holds_all(live, tree):
                self.outcomes[ref_of(tree)] = "unchanged"
            else:
                self._late.append(tree)

    def _end(self, phases: Mapping[str, Sequence[Document]], before: Inventory, after: Inventory) -> None:
        if self.patience is None:
            # Replicas of the version before may run on: what they need stays, and is remembered.
            after = replace(after, objects=before.objects | after.objects)
            for tree in self._late:
                self.told(ref_of(tree), "not changed: the guard does not answer, run it again when it does")
        else:
            until_rolled_out(self.server, phases.get("workloads", ()), self.patience)
            for tree in phases.get("identities", ()):
                self._apply(tree)
            for tree in self._late:
                self._once_it_answers(tree)
            gone = [ref for ref in dropped(before, after.objects) if self._removed(ref)]
            until_gone(self.server, gone, self.patience)
        self._apply(inventories.as_document(after))
        for tree in phases.get("lock", ()):
            self._apply(tree)

    def _apply(self, tree: Document) -> None:
        outcome, _ = self.server.apply(tree, force=self.force)
        ref = ref_of(tree)
        if self.outcomes.get(ref, "unchanged") != "unchanged":
            return
        self.outcomes[ref] = outcome
        if outcome != "unchanged":
            self.told(ref, outcome)

    def _once_it_answers(self, tree: Document) -> None:
        def done() -> str:
            try:
                self._apply(tree)
            except ApiError as error:
                if not silent(error.message):
                    raise
                return "the guard does not answer"
            return ""

        assert self.patience is not None  # noqa: S101 - without it nothing is applied late
        self.patience.until(done, str(ref_of(tree)), "all else is applied: run it again when a replica answers")

    def _removed(self, ref: ObjectRef) -> bool:
        """A name that the inventory holds is removed only where the object says itself that it is ours."""
        live = self.server.read(ref)
        if live is None or not is_ours(live):
            return False
        self.server.delete(ref, uid=live["metadata"]["uid"])
        self.outcomes[ref] = "deleted"
        self.told(ref, "deleted")
        return True


_DEFINITION_SECONDS: Final = 60
