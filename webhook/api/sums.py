"""Owns reading what the overview says of all findings together, as who asks may see it. Must not render.

What the pages' modules make of it is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from flask import url_for

from reconciler.model.instant import stamp
from reconciler.report.days import Day, added
from reconciler.report.summary import NOTHING, parse_asked, summarise_each
from webhook.api.access import Scope
from webhook.api.pages import overview, trail, words
from webhook.api.pages.trend import Chart, What, chart
from webhook.api.ports import ApiState

_DAY: Final = timedelta(days=1)
_COUNTS: Final[tuple[What, ...]] = ("found", "resolved", "denials")
# Of so many fights the overview tells.
_FIGHTS: Final = 10


@dataclass(frozen=True, slots=True)
class Sums:
    """What there is at `now` in these namespaces; `mine` None: everywhere. Raises StoreError."""

    state: ApiState
    now: datetime
    mine: Scope

    def of(self, managed: int) -> dict[str, Any]:
        """What the template asks for. `managed` objects are under guard."""
        denials, labels = self.state.denials(stamp(self.now - _DAY), self.mine), self._labels()
        asked = (parse_asked("owner", ""), parse_asked("namespace", overview.LABELS))
        (owners, total), (places, _) = summarise_each(asked, self.state.lines(self.mine), denials, labels, self.now)
        known = overview.owners(labels)
        days = self.state.days(stamp(self.now), self.mine)
        by_place = self.state.days_by_namespace(stamp(self.now), self.mine)
        nothing = [Day(day.day, counted=day.counted) for day in days]

        def drawn(by: str, name: str) -> Chart | None:
            """Of an owner in the namespaces that name him."""
            names = known.namespaces.get(name) if by == "owner" else frozenset({"" if name == NOTHING[by] else name})
            told = [by_place[one] for one in names or () if one in by_place]
            return chart(added([nothing, *told]), "found") if names else None

        return {
            "tiles": overview.tiles(total, self._beside(managed), overview_link),
            "tables": [
                (by, overview.tallies(by, rows, overview_link, known.costs, drawn))
                for by, rows in (("owner", owners), ("namespace", places))
            ],
            "charts": [chart(days, what) for what in _COUNTS],
            "hidden": self._hidden(),
            "fights": self._fights(),
        }

    def _labels(self) -> dict[str, dict[str, str]]:
        """Of the namespaces that may be seen."""
        found = self.state.namespaces()
        return found if self.mine is None else {name: held for name, held in found.items() if name in self.mine}

    def _beside(self, managed: int) -> overview.Beside:
        """What tiles say beside findings; to a reader of some namespaces only what is of these."""
        if self.mine is not None:
            return overview.Beside(self.now, managed)
        grants = sum(one.holds(self.now.timestamp()) for one in self.state.grants())
        places = {
            "denials": url_for("page.denials"),
            "grants": url_for("page.grants"),
            "unmanaged": url_for("page.coverage", _anchor="unmanaged"),
        }
        return overview.Beside(self.now, managed, grants, self.state.unmanaged(), places)

    def _hidden(self) -> tuple[int, int]:
        """How many fields differ and do not count, and by how many rules."""
        found = self.state.observed().hidden if self.mine is None else {}
        return sum(found.values()), len(found)

    def _fights(self) -> list[dict[str, Any]]:
        """Objects that were fought over of late."""
        found = self.state.fights(stamp(self.now - _DAY), _FIGHTS)
        seen = (one for one in found if self.mine is None or one["namespace"] in self.mine)
        return [{**one, "text": trail.fought(one), "place": words.place(one)} for one in seen]


def overview_link(**parameters: Any) -> str:
    """The overview with these parameters."""
    return url_for("page.overview", **parameters)
