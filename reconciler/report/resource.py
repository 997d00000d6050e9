"""Owns what is said of one object by its name: how it stands, what Git wants, what is there, what differs. Pure.

Live objects are kept nowhere, so of what is there only that is told which findings hold. Where nothing is known that
is said: an object is in sync only if it is declared, was compared with what Git says now, and had no finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DriftState, source_json
from reconciler.report.item import declared_at
from reconciler.report.whole import whole_object
from reconciler.snapshot.model import Entry, SourceState

Stands = tuple[DriftState, str]
"""How an object stands, and why nothing better can be said."""

View = Literal["desired", "live", "diff"]
VIEWS: Final[tuple[View, ...]] = ("desired", "live", "diff")
NOT_KEPT: Final = "live objects are not kept: what differs from Git is in `fields`, the rest is for the cluster to say"
_NOT_THERE: Final = "it is not in the cluster"
# Of these Git says nothing, or nothing any more.
_UNDECLARED: Final = frozenset({"extra", "orphaned"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the current snapshot says of an object, nothing where `entry` is None. `problem`: why it cannot be asked."""

    snapshot: str = ""
    entry: Entry | None = None
    source: SourceState | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of one object.

    `finding` is as it is sent, None where there is none; `guarded` the row of what enforced sources declare. `compared`
    is the snapshot that the report is about, `stale` why that must not be relied on.
    """

    ref: ObjectRef
    finding: Mapping[str, Any] | None = None
    guarded: Mapping[str, Any] | None = None
    wanted: Wanted = field(default_factory=Wanted)
    compared: str = ""
    stale: str = ""

    @property
    def declared(self) -> bool | None:
        """Whether Git declares it; None where that cannot be told."""
        if self.wanted.entry is not None:
            return True
        if not self.wanted.problem:
            return False
        if self.finding is not None and self.finding.get("state") in _UNDECLARED:
            return False
        return True if self.guarded is not None or self.finding is not None else None

    @property
    def api_version(self) -> str:
        """In which it is declared or was found; "" where neither is known."""
        entry = self.wanted.entry
        return entry.object.kind.api_version if entry else str((self.finding or {}).get("apiVersion", ""))

    @property
    def stands(self) -> Stands | None:
        """How it stands, and why nothing better can be said; None where nobody here knows of it."""
        if self.finding is not None:
            return self.finding["state"], str(self.finding.get("reason") or "")
        if self.guarded is None and self.wanted.entry is None:
            return None
        if self.stale:
            return "unknown", f"there is no finding of it, but {self.stale}"
        if self.wanted.problem:
            return "unknown", f"there is no finding of it, but what Git says cannot be read: {self.wanted.problem}"
        if self.wanted.entry is None:
            return "unknown", "Git declares it no longer, which was not compared with the cluster yet"
        if self.wanted.snapshot != self.compared:
            return "unknown", "there is no finding of it, but what Git says now is still being compared"
        return "in-sync", ""


def resource_json(known: Known, stands: Stands, views: tuple[View, ...]) -> dict[str, Any]:
    """The object as it is told, without an envelope. `stands` is that of `known`."""
    finding, guarded = known.finding or {}, known.guarded or {}
    about: dict[str, Any] = {
        **{name: getattr(known.ref, name) for name in ("group", "kind", "namespace", "name")},
        "objectVersion": known.api_version,
        "state": stands[0],
        "reason": stands[1],
        "finding": str(finding.get("id", "")),
        "guarded": {name: guarded[name] for name in ("source", "adopted", "since", "commit")} if guarded else None,
    }
    about |= {"links": finding["links"]} if "links" in finding else {}
    return about | {view: _VIEWS[view](known, stands) for view in views}


def _desired(known: Known, _stands: Stands) -> dict[str, Any]:
    wanted, entry = known.wanted, known.wanted.entry
    if entry is None:
        return {"declared": known.declared, "reason": wanted.problem}
    form = entry.object
    return {
        "declared": True,
        "reason": "",
        "object": whole_object(form.ref, form.kind.api_version, form.want),
        "confidence": form.confidence,
        "source": source_json(declared_at(entry, wanted.source)),
    }


def _live(known: Known, stands: Stands) -> dict[str, Any]:
    finding, (state, reason) = known.finding or {}, stands
    if state == "unknown":
        return {"there": None, "reason": reason or NOT_KEPT, "fields": []}
    changes = finding.get("changes") or ()
    shown = ("path", "field", "embedded", "live", "masked", "manager", "user", "time")
    return {
        "there": state != "missing",
        "reason": _NOT_THERE if state == "missing" else NOT_KEPT,
        "fields": [{name: one[name] for name in shown if name in one} for one in changes],
        **{name: finding[name] for name in ("uid", "liveResourceVersion", "liveGeneration") if name in finding},
    }


def _diff(known: Known, stands: Stands) -> dict[str, Any]:
    finding, (state, reason) = known.finding or {}, stands
    return {
        "known": state != "unknown",
        "reason": reason,
        "changes": list(finding.get("changes") or ()),
        "patch": list(finding.get("patch") or ()),
        # What rules hide of an object that does not differ is counted for all together, not kept of each.
        "hidden": dict(finding["hidden"]) if "hidden" in finding else None,
    }


_VIEWS: Final[Mapping[View, Callable[[Known, Stands], dict[str, Any]]]] = {
    "desired": _desired,
    "live": _live,
    "diff": _diff,
}
