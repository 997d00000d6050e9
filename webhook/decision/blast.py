"""Owns what a refusal says of those who use the GPU classes that the write would change. Must not judge or count.

Only what is not simply admitted comes here: admissions pay nothing for it. What reads GPU classes is loaded with the
first refusal that is about one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.compare.mask import clean
from reconciler.gpu.users.model import NOBODY, Census, ClassName, Users
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.select import may_be_class
from reconciler.snapshot.model import Taken
from webhook.decision.verdict import Verdict

if TYPE_CHECKING:
    from reconciler.gpu.users.hit import Hit

GPU_USERS: Final = "gpu-users"
_COUNTED: Final = 3
_LINE_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Blast:
    """`lines` are for people; `audit` says it in numbers. Both are empty where no GPU class would change."""

    lines: tuple[str, ...] = ()
    audit: Mapping[str, str] = field(default_factory=dict)


NONE: Final = Blast()


def blast(verdict: Verdict, ref: ObjectRef, want: Tree = ABSENT) -> Blast:
    """Who uses what the write would change of one object; `want` is the object as Git declares it, if it does."""
    request, rules = verdict.request, verdict.snapshot.rules
    if not may_be_class(rules, ref.group, ref.kind):
        return NONE
    from reconciler.gpu.users.hit import hit

    # A class may be told by what the request leaves as it is, such as the resource name of a DeviceClass.
    now, was = (ABSENT if tree is None else tree for tree in request.objects.whole())
    if request.operation == "DELETE" and was is ABSENT:
        was = want
    return _said(verdict, hit(rules, ref, was, now, verdict.parse))


def blast_of_taken(verdict: Verdict, inside: Taken) -> Blast:
    """Who uses what would go with an object that holds others, as far as those are shown."""
    rules, snapshot = verdict.snapshot.rules, verdict.snapshot
    shown = [ref for ref in inside.shown if may_be_class(rules, ref.group, ref.kind)]
    if not shown:
        return NONE
    from reconciler.gpu.users.hit import Hit, hit

    entries = map(snapshot.by_ref, shown)
    hits = [hit(rules, one.ref, one.object.want, ABSENT, verdict.parse) for one in entries if one is not None]
    names = dict.fromkeys(name for one in hits if one is not None for name in one.names)
    rows = dict.fromkeys(row for one in hits if one is not None for row in one.rows)
    return _said(verdict, Hit(tuple(names), tuple(rows)) if names else None)


def _said(verdict: Verdict, found: Hit | None) -> Blast:
    if found is None:
        return NONE
    census = verdict.census()
    lines = tuple(clean(line, limit=_LINE_CHARS) for line in found.lines(census))
    numbers = clean("; ".join(_counts(found.names, census)), limit=_COUNTED * _LINE_CHARS)
    return Blast(lines, {GPU_USERS: numbers} if numbers else {})


def _counts(names: Sequence[ClassName], census: Census | None) -> Iterable[str]:
    if census is None:
        yield from ["unknown"] if names else ()
        return
    for name in names[:_COUNTED]:
        yield f"{name} {_numbers(census.classes.get(name, NOBODY))}"
    if len(names) > _COUNTED:
        yield f"{len(names) - _COUNTED} more classes"
    if census.unseen:
        yield f"unseen {','.join(sorted(census.unseen))}"


def _numbers(users: Users) -> str:
    fields = ("running", "pending", "templates", "claims", "nodes", "namespaces")
    return " ".join(f"{name}={getattr(users, name)}" for name in fields)
