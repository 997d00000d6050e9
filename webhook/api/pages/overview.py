"""Owns what the overview shows: tiles, owners, namespaces, and a page of rows. Pure; must not read a store or count.

Of ten thousand findings only those of the page are decoded whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from reconciler.report.summary import NOTHING
from webhook.api.pages import words
from webhook.api.pages.finding import Shown

ROWS: Final = 50
# Labels of namespaces that stand beside their names.
LABELS: Final = "team,cost_center"
_TALLIES: Final = 6
_WORSE: Final = ("critical", "high")
# Where there is none of these, nobody needs to read it.
_RARE: Final = "orphaned"

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


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is shown, and the ways on."""

    first: int
    last: int
    total: int
    previous: str = ""
    next: str = ""


def rows(texts: Sequence[str], number: int) -> tuple[Shown, ...]:
    """The rows of page `number`, from 1."""
    return tuple(Shown(msgspec.json.decode(text)) for text in texts[(number - 1) * ROWS : number * ROWS])


def page(total: int, number: int, link: Link) -> Page:
    """Where page `number` of a list stands."""
    last = min(total, number * ROWS)
    before = link(page=number - 1 if number > 2 else None) if number > 1 else ""
    return Page(min(total, (number - 1) * ROWS + 1), last, total, before, link(page=number + 1) if last < total else "")


def tiles(
    total: Mapping[str, Any], managed: int, grants: int, link: Link, places: Mapping[str, str]
) -> tuple[Tile, ...]:
    """The first row, out of the total of a summary. `places`: where tiles lead that are not of findings."""
    states = {name: number for name, number in total["drift"].items() if name != "total"}
    # What Git does not declare is no object under guard.
    well = max(0, managed - sum(states.get(name, 0) for name in ("drifted", "missing", "unknown")))
    sign, denials = words.STATES["in-sync"], total["denials"]
    return (
        Tile(words.count(well), sign.word, sign.sign, sign.tone if well else ""),
        *(_state(name, number, link) for name, number in states.items() if number or name != _RARE),
        Tile(words.count(denials), "refused in 24 h", "×", "", places.get("denials", "")),
        Tile(
            words.count(grants),
            f"grant{'' if grants == 1 else 's'} in force",
            "!",
            "warm" if grants else "",
            places.get("grants", ""),
        ),
    )


def tallies(by: str, found: Sequence[Mapping[str, Any]], link: Link) -> tuple[Tally, ...]:
    """Rows of a summary that have findings, the most first; beyond the first few in one row."""
    drifting = [row for row in found if row["drift"]["total"]]
    total = sum(row["drift"]["total"] for row in drifting)
    kept = [_tally(by, [row], total, link) for row in drifting[:_TALLIES]]
    rest = drifting[_TALLIES:]
    return (*kept, _tally(by, rest, total, link)) if rest else tuple(kept)


def _tally(by: str, rows: Sequence[Mapping[str, Any]], total: int, link: Link) -> Tally:
    name = str(rows[0]["name"])
    alone = len(rows) == 1
    number = sum(row["drift"]["total"] for row in rows)
    labels = rows[0].get("labels") or {} if alone else {}
    return Tally(
        name=name if alone else f"{len(rows)} more",
        link=link(**{by: name}) if alone and name != NOTHING[by] else "",
        note=", ".join(f"{key} {value}" for key, value in labels.items() if value),
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
