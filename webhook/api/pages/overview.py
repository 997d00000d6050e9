"""Owns what the overview shows: tiles, owners, namespaces, fights, and a page of rows. Pure; must not read a store.

Of ten thousand findings only those of the page are decoded whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import msgspec

from reconciler.report.links import NO_HOSTS, GitHost
from reconciler.report.owner import owner_of
from reconciler.report.summary import NOTHING
from reconciler.report.unmanaged import Unmanaged
from webhook.api.pages import words
from webhook.api.pages.finding import Shown
from webhook.api.pages.trend import Chart

ROWS: Final = 50
# Labels of namespaces that stand beside their names.
LABELS: Final = "team,cost_center"
_TALLIES: Final = 6
_WORSE: Final = ("critical", "high")
# Where there is none of these, nobody needs to read it.
_RARE: Final = ("extra", "orphaned")

Link = Callable[..., str]
"""Makes an address: parameters in; None for one that is left out."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the first row."""

    number: str
    word: str
    sign: str = ""
    tone: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Findings of one owner or namespace. `share` is in percent of all."""

    name: str
    link: str
    note: str
    number: int
    worse: int
    denials: int
    oldest: str
    share: int
    chart: Chart | None = None


@dataclass(frozen=True, slots=True)
class Owners:
    """What labels of namespaces say of owners: the namespaces of each, and its cost centers."""

    namespaces: Mapping[str, frozenset[str]]
    costs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Beside:
    """What tiles say beside findings. `unmanaged` None: not to be told. `places`: where they lead, by name."""

    now: datetime
    managed: int = 0
    grants: int = 0
    unmanaged: Unmanaged | None = None
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is shown, and the ways on."""

    first: int
    last: int
    total: int
    previous: str = ""
    next: str = ""


def rows(texts: Sequence[str], number: int, hosts: Mapping[str, GitHost] = NO_HOSTS) -> tuple[Shown, ...]:
    """The rows of page `number`, from 1."""
    return tuple(Shown(msgspec.json.decode(text), hosts) for text in texts[(number - 1) * ROWS : number * ROWS])


def page(total: int, number: int, link: Link) -> Page:
    """Where page `number` of a list stands."""
    last = min(total, number * ROWS)
    before = link(page=number - 1 if number > 2 else None) if number > 1 else ""
    return Page(min(total, (number - 1) * ROWS + 1), last, total, before, link(page=number + 1) if last < total else "")


def tiles(total: Mapping[str, Any], beside: Beside, link: Link) -> tuple[Tile, ...]:
    """The first row, out of the total of a summary."""
    states = {name: number for name, number in total["drift"].items() if name != "total"}
    # What Git does not declare is no object under guard.
    well = max(0, beside.managed - sum(states.get(name, 0) for name in ("drifted", "missing", "unknown")))
    sign, oldest = words.STATES["in-sync"], total["open"]["oldest"]
    return (
        Tile(words.count(well), sign.word, sign.sign, sign.tone if well else ""),
        *(_state(name, number, link) for name, number in states.items() if number or name not in _RARE),
        *_unmanaged(beside),
        Tile(words.age(oldest, beside.now) or "–", "oldest", "", "", link(sort="firstSeen") if oldest else ""),
        Tile(
            words.count(total["denials"]),
            "refused in 24 h",
            "×",
            "",
            beside.places.get("denials", ""),
        ),
        Tile(
            words.count(beside.grants),
            f"grant{'' if beside.grants == 1 else 's'} in force",
            "!",
            "warm" if beside.grants else "",
            beside.places.get("grants", ""),
        ),
    )


def _unmanaged(beside: Beside) -> tuple[Tile, ...]:
    found = beside.unmanaged
    if found is None:
        return ()
    # Where nobody has counted, none is no number.
    number = words.count(found.number) if found.at else "–"
    return (Tile(number, "unmanaged", "□", "", beside.places.get("unmanaged", "")),)


def owners(labels: Mapping[str, Mapping[str, str]]) -> Owners:
    """What the labels of each namespace say."""
    namespaces, costs = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for name, held in labels.items():
        owner = owner_of(held, {}, ())
        if owner.team:
            namespaces[owner.team].add(name)
            costs[owner.team] |= {owner.cost_center} - {""}
    found = {team: frozenset(names) for team, names in namespaces.items()}
    return Owners(found, {team: ", ".join(sorted(some)) for team, some in costs.items()})


def tallies(
    by: str,
    found: Sequence[Mapping[str, Any]],
    link: Link,
    costs: Mapping[str, str],
    drawn: Callable[[str, str], Chart | None],
) -> tuple[Tally, ...]:
    """Rows of a summary that have findings, the most first; beyond the first few in one row.

    `costs` are the cost centers of owners; `drawn` makes the bars of one, by what it is a row of and its name.
    """
    drifting = [row for row in found if row["drift"]["total"]]
    total = sum(row["drift"]["total"] for row in drifting)
    notes = {name: f"cost center {text}" for name, text in costs.items() if text} if by == "owner" else {}
    kept = [
        replace(_tally(by, [row], total, link, notes), chart=drawn(by, str(row["name"]))) for row in drifting[:_TALLIES]
    ]
    rest = drifting[_TALLIES:]
    return (*kept, _tally(by, rest, total, link, {})) if rest else tuple(kept)


def _tally(by: str, rows: Sequence[Mapping[str, Any]], total: int, link: Link, notes: Mapping[str, str]) -> Tally:
    name = str(rows[0]["name"])
    alone = len(rows) == 1
    number = sum(row["drift"]["total"] for row in rows)
    labels = rows[0].get("labels") or {} if alone else {}
    return Tally(
        name=name if alone else f"{len(rows)} more",
        link=link(**{by: name}) if alone and name != NOTHING[by] else "",
        note=", ".join(f"{key} {value}" for key, value in labels.items() if value) or notes.get(name, ""),
        number=number,
        worse=sum(row["severity"].get(word, 0) for row in rows for word in _WORSE),
        denials=sum(row["denials"] for row in rows),
        oldest=min(str(row["open"]["oldest"]) for row in rows),
        share=100 * number // total,
    )


def _state(name: str, number: int, link: Link) -> Tile:
    sign = words.state(name)
    return Tile(
        words.count(number), sign.word, sign.sign, sign.tone if number else "", link(state=name) if number else ""
    )


def kept(given: Mapping[str, str], fields: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """What was asked for beside the fields of the form: it goes with them unseen."""
    return tuple((name, given[name]) for name in given if name not in set(fields))
