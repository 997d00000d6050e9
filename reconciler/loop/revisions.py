"""Owns what the last revisions of each source wanted, where it differs from what is wanted now. Pure; must not render.

A GitOps controller may act by a commit that Git had between what was enforced and the newest, and one that acts by an
older commit is told which. So the forms of before are kept, those that the server has confirmed where there are any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from reconciler.canonical.engine import Context
from reconciler.canonical.form import CanonicalObject, Range
from reconciler.limits import EARLIER_FORMS, REVISIONS_KEPT, REVISIONS_RENDERED
from reconciler.loop.assemble import Assembly, assemble
from reconciler.loop.reading import Good
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from reconciler.policy.model import Rules
from reconciler.snapshot.model import Earlier, Entry, MemorySnapshot, SourceState

History = tuple[tuple[str, str], ...]


def history(log: History, before: SourceState | None) -> History:
    """The commits of a source in the order in which they were the newest to us, newest first.

    `log` are the commits of its branch, newest first. Those down to the one that was enforced `before` came since;
    where that is not among them (the branch was reset, or has gone far) only the newest counts.
    """
    known = before.history if before is not None else ()
    commits = [commit for commit, _ in log]
    enforced = before.commit if before is not None else ""
    since = log[: commits.index(enforced)] if enforced in commits else log[:1]
    merged: dict[str, str] = {}
    for commit, subject in (*since, *known):
        merged.setdefault(commit, subject)
    return tuple(merged.items())[:REVISIONS_KEPT]


def remembered(goods: Mapping[str, Good], before: Mapping[str, SourceState | None]) -> dict[str, SourceState]:
    """The state of each source with its history: those that could be read, and `before` of those that could not yet."""
    states = {name: state for name, state in before.items() if state is not None}
    for name, good in goods.items():
        states[name] = replace(good.state, history=history(good.log, states.get(name)))
    return states


def aged(states: Mapping[str, SourceState], stale: Mapping[str, str]) -> dict[str, SourceState]:
    """The same states, each with since when its source could not be followed, where that is long."""
    now = {name: stale.get(name, "") for name in states}
    return {name: one if one.stale == now[name] else replace(one, stale=now[name]) for name, one in states.items()}


def passed_over(before: SourceState | None, now: SourceState) -> tuple[str, ...]:
    """The newest commits between the one that was enforced before and the one that is now, newest first."""
    commits = [commit for commit, _ in now.history]
    if before is None or before.commit == now.commit or before.commit not in commits:
        return ()
    return tuple(commits[1 : commits.index(before.commit)][:REVISIONS_RENDERED])


def wanted_earlier(
    passed: Iterable[tuple[str, str, tuple[RenderedObject, ...]]],
    contexts: Mapping[str, Context],
    rules: Rules,
    assembly: Assembly,
    confirmed: Mapping[str, CanonicalObject],
    entries: Iterable[Entry],
) -> list[Earlier]:
    """What commits that were passed over declared: `passed` gives source, commit, and its objects."""
    found: list[Earlier] = []
    for name, commit, objects in passed:
        if name in contexts:  # a source may have left meanwhile
            one = assemble([(contexts[name], objects)], rules, assembly)
            found += (Earlier(entry, commit) for entry in one.entries(confirmed, {}, entries))
    return found


def recalled(
    entries: Iterable[Entry],
    sources: Mapping[str, SourceState],
    before: MemorySnapshot | None,
    passed: Iterable[Earlier] = (),
) -> tuple[Earlier, ...]:
    """What earlier revisions wanted of `entries`, newest revision first.

    `before` is the snapshot before this one, `passed` what commits wanted that were passed over.
    """
    if before is None:
        return ()
    places = {name: {one[0]: place for place, one in enumerate(source.history)} for name, source in sources.items()}

    def place(one: Earlier) -> int:
        """How many revisions ago it was wanted; none for what is not remembered."""
        return places.get(one.entry.source, {}).get(one.last, 0)

    moved = {name: one.commit for name, one in before.sources.items() if places.get(name, {}).get(one.commit)}
    left = (Earlier(entry, moved[entry.source]) for entry in before.entries if entry.source in moved)
    older = sorted((one for one in (*passed, *left, *before.before) if place(one)), key=place)
    found = _different(older, {entry.object.ref: entry for entry in entries})
    return tuple(islice(found, EARLIER_FORMS))


def _different(older: Iterable[Earlier], now: Mapping[ObjectRef, Entry]) -> Iterator[Earlier]:
    """Of what is declared still, each other form once: the newest revision that wanted it names it."""
    forms: dict[ObjectRef, list[tuple[Tree, tuple[Range, ...]]]] = {}
    for one in older:
        ref = one.entry.object.ref
        current = now.get(ref)
        if current is None or current.source != one.entry.source:
            continue
        known = forms.setdefault(ref, [(current.object.want, current.object.ranges)])
        form = (one.entry.object.want, one.entry.object.ranges)
        if form not in known:
            known.append(form)
            # The policy of now judges: one of before may have left more to others.
            yield Earlier(Entry(one.entry.object, current.policy, current.adopted), one.last)
