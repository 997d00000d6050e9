"""Owns how far a source and an object are enforced: watched or enforced, adopted or not. Must not remember or look.

A source that is new on a cluster with drift is watched: its writes are judged and recorded, none is refused. An object
that was there before Git declared it is enforced once its policy's `adopt` says so, and from then on for good.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Policy
from reconciler.report.drift import DriftItem, DriftState

# What somebody must have changed, or may have. A missing object is what a first install looks like.
_DIFFERS: Final[frozenset[DriftState]] = frozenset({"drifted", "unknown"})


Mode = Literal["enforced", "watched", "new"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as it stands in the cluster; `uid` is "" where it is absent or could not be read."""

    state: DriftState
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was decided of a declared object of `source`. `uid`: the live object that was there at first sight."""

    source: str
    adopted: bool
    uid: str = ""


def sighted(policy: Policy, source: str, seen: Seen, before: Sight | None = None) -> Sight | None:
    """Whether the object is enforced from now on, given what was decided before; None: it cannot be told yet."""
    if policy.adopt == "Always" or seen.state == "missing":
        return Sight(source, adopted=True)
    if policy.adopt == "IfNoDiff":
        return Sight(source, adopted=seen.state == "in-sync")
    if not seen.uid:
        return None
    first = before.uid if before is not None and before.uid else seen.uid
    return Sight(source, adopted=seen.uid != first, uid=first)


def seen(items: Iterable[DriftItem]) -> dict[ObjectRef, Seen]:
    """How the declared objects among the findings stand in the cluster."""
    found = (item for item in items if item.state != "extra")
    return {ObjectRef(one.group, one.kind, one.namespace, one.name): Seen(one.state, one.uid) for one in found}


def differing(items: Iterable[DriftItem], source: str) -> int:
    """How many objects of that source are not as Git says, or may not be; one that is missing is no such object."""
    return sum(item.source.name == source and item.state in _DIFFERS for item in items)


def mode_of(enforced: bool | None) -> Mode:
    """The mode of a source by what was decided of it; None: nothing yet, it was not compared."""
    if enforced is None:
        return "new"
    return "enforced" if enforced else "watched"


def watched(policy: Policy) -> Policy:
    """The policy as it holds while its source is watched: everything passes, also while nobody answers."""
    return replace(policy, action="Audit", failure_policy="Ignore")
