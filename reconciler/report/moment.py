"""Owns what a moment in the life of findings is, and how a stream of them is written (Server-Sent Events). Pure.

A moment names its object, who and which paths, and no value. Must not read a store, nor a clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

Happened = Literal["detected", "changed", "resolved"]
HAPPENED: Final[tuple[Happened, ...]] = ("detected", "changed", "resolved")
_NAMES: Final = ("cluster", "apiVersion", "kind", "namespace", "name")
_NOTED: Final = ("state", "severity", "fingerprint", "who", "confidence", "paths", "morePaths", "code", "reason")
# How a place is written, for a schema too.
MARK: Final = "^[0-9a-f]{8}-[0-9]{1,15}$"
_MARK: Final = re.compile(MARK)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the moments of one store: all up to `seq` have been told."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened to a finding: `noted` then; `finding` as it is or was last, None where it is forgotten."""

    seq: int
    event: Happened
    time: str
    id: str
    noted: Mapping[str, Any]
    finding: Mapping[str, Any] | None = None

    @property
    def namespace(self) -> str | None:
        """That of the object, "" for none; None where nobody knows which object it was."""
        return None if self.finding is None else str(self.finding.get("namespace", ""))

    def as_json(self) -> dict[str, Any]:
        """As it is told."""
        found = self.finding or {}
        names = {name: found[name] for name in _NAMES if name in found}
        source, owner = found.get("source") or {}, found.get("owner") or {}
        owned = {"source": source.get("name", ""), "team": owner.get("team", "")}
        noted = {name: self.noted[name] for name in _NOTED if name in self.noted}
        about = {**names, **(owned if found else {}), **noted, "links": {"self": f"/api/v1/drift/{self.id}"}}
        return {"event": self.event, "time": self.time, "id": self.id, **about}


@dataclass(frozen=True, slots=True)
class Moments:
    """Some moments, oldest first; `last` is the place behind them. `oldest` and `newest` are what the store has."""

    found: tuple[Moment, ...]
    last: int
    oldest: int
    newest: int


def parse_mark(text: str) -> Mark | None:
    """A place as an event had it for its id; None for what is none."""
    if not _MARK.fullmatch(text):
        return None
    epoch, _, seq = text.partition("-")
    return Mark(epoch, int(seq))


def is_known(mark: Mark, epoch: str, moments: Moments) -> bool:
    """Whether all that happened after `mark` is still there; of another store nothing is."""
    return mark.epoch == epoch and moments.oldest - 1 <= mark.seq <= moments.newest


def told(name: str, mark: Mark, data: Mapping[str, Any]) -> str:
    """One event."""
    return f"event: {name}\nid: {mark}\ndata: {msgspec.json.encode(data).decode()}\n\n"


def beat(mark: Mark) -> str:
    """That the stream lives, and up to where it has come: events of others move it, too."""
    return f": still here\nid: {mark}\n\n"
