"""Owns the bars of the last days. Pure; must not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from reconciler.report.days import Day
from webhook.api.pages import words

What = Literal["found", "resolved", "denials"]
_STEP: Final = 8
_HEIGHT: Final = 40
# A day on which something happened is seen beside one on which a thousand things did.
_LEAST: Final = 3
_TITLES: Final[dict[What, str]] = {"found": "found", "resolved": "over", "denials": "refused"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One day; `counted` False: nobody counted yet."""

    x: int
    height: int
    title: str
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """Days side by side, in units of its own. `label` says for those who do not see it what it shows."""

    title: str
    label: str
    bars: tuple[Bar, ...]
    total: int
    today: int
    since: str = ""
    height: int = _HEIGHT

    @property
    def width(self) -> int:
        """In the same units."""
        return _STEP * len(self.bars)

    @property
    def step(self) -> int:
        """How wide a bar is, without the gap."""
        return _STEP - 2


def chart(days: Sequence[Day], what: What) -> Chart:
    """The bars of one count; `since` is the first day on which it was counted, "" where it was on all."""
    numbers = [int(getattr(day, what)) if day.counted else 0 for day in days]
    most, total = max(numbers, default=0), sum(numbers)
    since = next((day.day for day in days if day.counted), "")
    bars = tuple(
        Bar(
            x=_STEP * place,
            height=max(_LEAST, _HEIGHT * number // most) if number else 1,
            title=f"{_named(day.day)}: {words.count(number) if day.counted else 'not counted yet'}",
            counted=day.counted,
        )
        for place, (day, number) in enumerate(zip(days, numbers, strict=True))
    )
    today = numbers[-1] if numbers else 0
    counted = [number for day, number in zip(days, numbers, strict=True) if day.counted]
    told = f"{words.count(total)} {_TITLES[what]} in {len(counted)} days, {words.count(today)} of them today"
    more = f", at most {words.count(most)} a day" if most else ""
    late = since if days and since != days[0].day else ""
    return Chart(_TITLES[what], told + more, bars, total, today, _named(late) if late else "")


def _named(day: str) -> str:
    return date.fromisoformat(day).strftime("%-d %b %Y")
