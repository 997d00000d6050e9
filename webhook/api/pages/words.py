"""Owns how instants, ages, values, states and severities read on the pages. Pure; must not know what they belong to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup, escape

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Sign:
    """A word with the sign and the tone that it has everywhere: colour is never all that tells states apart."""

    word: str
    sign: str
    tone: str = ""


STATES: Final = {
    "in-sync": Sign("in sync", "✓", "well"),
    "drifted": Sign("drifted", "≠", "warm"),
    "missing": Sign("missing", "−", "loud"),
    "extra": Sign("extra", "+", "loud"),
    "orphaned": Sign("orphaned", "○", "loud"),
    "unknown": Sign("unknown", "?", "odd"),
}
OVER: Final = Sign("over", "✓", "well")
# What each state says and what it does not, for whoever reads it for the first time.
MEANINGS: Final = {
    "in-sync": "All that Git declares of it is there, and nothing else but what a rule frees.",
    "drifted": "Fields differ from what Git declares, or something was added to it that Git does not declare.",
    "missing": "Git declares it, and the cluster does not have it.",
    "extra": "Git does not declare it, and all objects of its kind are Git's to declare.",
    "orphaned": "Git declared it once and dropped it, and nobody has removed it from the cluster.",
    "unknown": (
        "It could not be compared, so nobody knows whether it is as Git says: it counts neither as in sync nor as "
        "drifted. It is looked at again by itself."
    ),
}
SEVERITIES: Final = {
    "critical": Sign("critical", "▲▲", "loud"),
    "high": Sign("high", "▲", "loud"),
    "medium": Sign("medium", "◆", "warm"),
    "low": Sign("low", "▽", "calm"),
    "info": Sign("info", "·", "calm"),
}
SOURCES: Final = {
    "Ready": Sign("Ready", "✓", "well"),
    "Pending": Sign("Pending", "…", ""),
    "Suspended": Sign("Suspended", "=", "warm"),
}
OPS: Final = {
    "add": Sign("added", "+", "loud"),
    "remove": Sign("removed", "−", "loud"),
    "replace": Sign("changed", "≠", "warm"),
}
# What a change of one of these classes is called, where the operation alone would not say it.
CLASSES: Final = {
    "default-overridden": Sign("default overridden", "≠", "warm"),
    "order": Sign("order changed", "↕", "warm"),
}


def state(word: Any) -> Sign:
    """The sign of a finding's state."""
    return STATES.get(str(word), Sign(str(word), "?", "odd"))


def severity(word: Any) -> Sign:
    """The sign of a severity; of none an empty one."""
    return SEVERITIES.get(str(word), Sign(str(word or ""), "", "calm"))


def source_state(word: Any) -> Sign:
    """The sign of a source's state: whatever is not known to be well is bad."""
    return SOURCES.get(str(word), Sign(str(word), "!", "loud"))


def change(one: Any) -> Sign:
    """The sign of one change."""
    return CLASSES.get(str(one.get("class"))) or OPS.get(str(one.get("op")), Sign(str(one.get("op")), "?", "odd"))


def place(named: Mapping[str, Any]) -> str:
    """`shop/web`, or the name alone."""
    return f"{named['namespace']}/{named['name']}" if named.get("namespace") else str(named.get("name") or "")


def instant(text: Any) -> datetime | None:
    """RFC 3339 as a time, None where it is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def seconds_since(text: Any, now: datetime) -> int | None:
    """Whole seconds from then to now, never less than none; None where `text` is no time."""
    then = instant(text)
    return None if then is None else max(0, int((now - then).total_seconds()))


def age(text: Any, now: datetime) -> str:
    """`12 s`, `3 min`, `5 h`, `2 d`; "" where `text` is no time."""
    seconds = seconds_since(text, now)
    if seconds is None:
        return ""
    unit, length = next(((unit, length) for unit, length in _UNITS if seconds >= length), _UNITS[-1])
    return f"{seconds // length} {unit}"


def lasted(since: Any, until: Any) -> str:
    """How long from then to then, as `age`; "" where either is no time."""
    end = instant(until)
    return "" if end is None else age(since, end)


def ago(text: Any, now: datetime) -> str:
    """`12 s ago`, or `in 5 min` of what is to come."""
    then = instant(text)
    if then is not None and then > now:
        return f"in {age(now.isoformat(), then)}"
    found = age(text, now)
    return f"{found} ago" if found else str(text or "never")


def clock(text: Any) -> str:
    """`22 Nov 2026 02:43:25 UTC`; what is no time stays as it is."""
    then = instant(text)
    return str(text) if then is None else then.strftime("%-d %b %Y %H:%M:%S UTC")


def breakable(text: str) -> Markup:
    """A path or a field that may be broken after each of its parts rather than within one."""
    found = re.sub(r"([/.\]])(?=[^\s])", r"\1<wbr>", str(escape(text)))
    return Markup(found)  # noqa: S704 - escaped above


def count(number: Any) -> str:
    """`12,345`: digits in threes."""
    return f"{number:,}" if isinstance(number, int | float) else str(number)


def shown(value: Any) -> str:
    """A value in a pane: text as it is, all else as JSON; text that reads like JSON in quotes, so that 1 is not "1"."""
    if isinstance(value, str) and value.strip() and not _is_json(value):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
