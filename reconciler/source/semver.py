"""Owns versions and ranges of versions as Flux reads them (Masterminds semver): which tag is the highest. Pure.

A pre-release counts only for a part of a range that names one itself: `>=1.0.0-0` takes it, `>=1.0.0` does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.errors import UsageError

_NUMBER: Final = r"0|[1-9]\d{0,17}"
_LABELS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION: Final = re.compile(
    rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?(?:-(?P<pre>{_LABELS}))?(?:\+{_LABELS})?"
)
_PART: Final = r"\d{1,18}|[xX*]"
_BOUND: Final = (
    rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?(?:-(?P<pre>{_LABELS}))?(?:\+{_LABELS})?"
)
_PRIMITIVE: Final = re.compile(rf"(?P<sign>>=|=>|<=|=<|!=|~>|[=<>~^]|)\s*{_BOUND}")
_HYPHEN: Final = re.compile(r"(\S+)\s+-\s+(\S+)")
_LONGEST: Final = 256
_SAME: Final = {"=>": ">=", "=<": "<=", "~>": "~"}


@dataclass(frozen=True, slots=True)
class Version:
    """Numbers and pre-release labels; what stands after a `+` decides nothing."""

    numbers: tuple[int, int, int]
    pre: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[Any, ...]:
        """A key that sorts as semver does: a pre-release before its release, numbers before words."""
        labels = tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in self.pre)
        return self.numbers, not self.pre, labels


def parse_version(text: str) -> Version | None:
    """The version that a tag names, `v1.2.3` or `1.2`; None for other tags."""
    match = _VERSION.fullmatch(text)
    if not match:
        return None
    numbers = int(match["major"]), int(match["minor"] or 0), int(match["patch"] or 0)
    return Version(numbers, tuple(match["pre"].split(".")) if match["pre"] else ())


@dataclass(frozen=True, slots=True)
class _Bound:
    """One comparison: from `low` on, and below `high` where there is one; or anything but them (`inverse`)."""

    low: Version
    high: Version | None
    asks_pre: bool
    inverse: bool = False

    def holds(self, version: Version) -> bool:
        if version.pre and not self.asks_pre:
            return False
        inside = self.low.order <= version.order and (self.high is None or version.order < self.high.order)
        return inside is not self.inverse


@dataclass(frozen=True, slots=True)
class Constraint:
    """A range: any of several lists of comparisons that all hold."""

    text: str
    choices: tuple[tuple[_Bound, ...], ...]

    def __str__(self) -> str:
        return self.text

    def holds(self, version: Version) -> bool:
        """Whether the version is in the range."""
        return any(all(bound.holds(version) for bound in choice) for choice in self.choices)

    def highest(self, tags: Iterable[str]) -> str:
        """The tag with the highest version in the range, "" where none is; of equals, the last by name."""
        found = ((version, tag) for tag in tags if (version := parse_version(tag)) and self.holds(version))
        return max(found, key=lambda pair: (pair[0].order, pair[1]), default=(None, ""))[1]


def parse_constraint(text: Any, where: str = "") -> Constraint:
    """A range such as `>=1.0.0 <2.0.0`, `~1.2`, `^1`, `1.x`, `1.2 - 1.4`, `1.x || 3.x`. Raises UsageError."""
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
        raise UsageError("must be a range of versions", where=where, hint='such as ">=1.0.0 <2.0.0" or "1.x"')
    return Constraint(text.strip(), tuple(tuple(_bounds(choice, where)) for choice in text.split("||")))


def _bounds(choice: str, where: str) -> Iterable[_Bound]:
    rest = _HYPHEN.sub(r">=\1 <=\2", choice).replace(",", " ").strip()
    while rest or not choice.strip():
        match = _PRIMITIVE.match(rest)
        if not match or (match.end() < len(rest) and not rest[match.end()].isspace()):
            raise UsageError(f"cannot read {rest[:40]!r} as a range of versions", where=where)
        yield _bound(match)
        rest = rest[match.end() :].lstrip()


def _bound(match: re.Match[str]) -> _Bound:
    """A comparison as a half-open range; parts that are missing or `x` stand for any number."""
    sign = _SAME.get(match["sign"], match["sign"])
    given = [match[name] for name in ("major", "minor", "patch")]
    known = next((place for place, one in enumerate(given) if one is None or one in "xX*"), 3)
    numbers = [int(one) for one in given[:known]] + [0] * (3 - known)
    pre = tuple(match["pre"].split(".")) if match["pre"] and known == 3 else ()
    low = Version((numbers[0], numbers[1], numbers[2]), pre)
    asks = bool(match["pre"])
    if not known:  # any version, or (other than any, above any) none
        return _Bound(_ZERO, None, asks, inverse=sign in {"<", ">", "!="})
    after = _next(low, known - 1) if known < 3 or pre == () else Version(low.numbers, (*pre, "0"))
    ends: Mapping[str, Callable[[], _Bound]] = {
        "": lambda: _Bound(low, after, asks),
        "=": lambda: _Bound(low, after, asks),
        "!=": lambda: _Bound(low, after, asks, inverse=True),
        ">": lambda: _Bound(after, None, asks),
        ">=": lambda: _Bound(low, None, asks),
        "<": lambda: _Bound(_ZERO, low, asks),
        "<=": lambda: _Bound(_ZERO, after, asks),
        "~": lambda: _Bound(low, _next(low, min(known - 1, 1)), asks),
        "^": lambda: _Bound(low, _next(low, _caret(numbers, known)), asks),
    }
    return ends[sign]()


def _caret(numbers: list[int], known: int) -> int:
    """The place that may not change: the first that is not zero, else the last that is given."""
    return next((place for place in range(known) if numbers[place]), known - 1)


def _next(version: Version, place: int) -> Version:
    """The least version with a higher number at `place`, before all its pre-releases."""
    numbers = version.numbers[:place] + (version.numbers[place] + 1,) + (0,) * (2 - place)
    return Version((numbers[0], numbers[1], numbers[2]), ("0",))


_ZERO: Final = Version((0, 0, 0), ("0",))
