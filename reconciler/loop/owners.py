"""Owns who keeps an object that two sources declare: whoever had it, else the earlier of them. Pure.

Without this, whoever may add a source that sorts earlier could take over what another one has guarded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.ref import ObjectRef
from reconciler.snapshot.model import MemorySnapshot, SourceState


@dataclass(frozen=True, slots=True)
class Owners:
    """Who had each object in the last snapshot, and who each source is of: its definition, else itself."""

    had: Mapping[ObjectRef, str] = field(default_factory=dict)
    of: Mapping[str, str] = field(default_factory=dict)

    def prefer(self, ref: ObjectRef, first: str, other: str) -> bool:
        """True if the source `other` keeps the object although `first` comes before it.

        Between sources of one definition the order decides: the tool means something by it.
        """
        ours = self.of.get(other, other)
        return ours == self.had.get(ref) and ours != self.of.get(first, first)


def owners(last: MemorySnapshot, now: Mapping[str, SourceState]) -> Owners:
    """By the last snapshot, and the states of the sources as they are now."""
    of = {name: _owner(state) for name, state in {**last.sources, **now}.items()}
    return Owners({entry.ref: of.get(entry.source, entry.source) for entry in last.entries}, of)


def _owner(state: SourceState) -> str:
    by = state.adopter
    return f"{by.kind}/{by.namespace}/{by.name}" if by.kind else state.name
