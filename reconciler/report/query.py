"""Owns what may be asked of the drift report: parameters in, a Query out; and what was found. Must not read a store.

What is wrong is named: the message of a `UsageError` begins with the parameter, and repeats no hostile value whole.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Self

import msgspec

from reconciler.errors import UsageError
from reconciler.limits import REPORT_LABELS, REPORT_PAGE, REPORT_PAGE_MAX, REPORT_PARAMETER_CHARS
from reconciler.model.instant import stamp
from reconciler.model.quantity import nanoseconds
from reconciler.report.drift import SEVERITIES, STATES, DriftItem
from reconciler.report.field_selector import parse_field_selector
from reconciler.report.line import Listed
from reconciler.report.selector import Requirement, parse_selector

# Exact, but for `kind`, which is matched in any case.
EQUAL: Final = ("cluster", "namespace", "kind", "group", "name", "source", "owner", "state", "severity")
CHOSEN: Final = (*EQUAL, "search", "since", "until", "minAge", "labelSelector", "fieldSelector")
PARAMETERS: Final = (*CHOSEN, "sort", "limit", "continue", "fields", "includeIgnored")
SORTS: Final = ("firstSeen", "lastSeen", "severity", "state", "kind", "namespace", "name", "source")
ALL: Final = "all"
# What a finding can be cut down to.
FIELDS: Final = (*DriftItem("", "", "", "", "", "", "unknown").as_json(), "gpu", "links", "exception")
IN_SYNC: Final = "in-sync"
# What is asked of findings, and of an object that is as Git says is not known: since when, how bad, whose.
OF_FINDINGS: Final = ("severity", "owner", "since", "until", "minAge")
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = re.compile(r"([0-9]{1,4})d")
_LABEL: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_./]{0,250}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Query:
    """Which findings, in which order, how many. `limit` None is all; `scope` None is all namespaces and what has none.

    `since` and `until` bound when a finding began (RFC 3339); `labels` are asked of the namespace, `holds` of the
    finding; `fields` is empty for whole findings; `ignored`: with what rules hide; `asked` are the parameters as they
    were given, but for those that only say what is shown.
    """

    equal: Mapping[str, str] = field(default_factory=dict)
    search: str = ""
    since: str = ""
    until: str = ""
    labels: tuple[Requirement, ...] = ()
    holds: tuple[Requirement, ...] = ()
    sort: str = "firstSeen"
    limit: int | None = REPORT_PAGE
    fields: tuple[str, ...] = ()
    ignored: bool = False
    scope: frozenset[str] | None = None
    asked: tuple[tuple[str, str], ...] = ()

    @property
    def in_sync(self) -> bool:
        """True where it asks for objects that are as Git says, and so have no finding."""
        return self.equal.get("state") == IN_SYNC

    @property
    def key(self) -> str:
        """The same for all pages of one list, whatever is shown of its findings; another for another reader."""
        scope = None if self.scope is None else sorted(self.scope)
        return hashlib.sha256(msgspec.json.encode([self.asked, scope])).hexdigest()


@dataclass(frozen=True)
class Matching:
    """All findings that match, in order: each as the JSON that is stored, and what a list needs of it.

    Texts may be read only when they are asked for: until `close`, so whoever asks for a Matching has to close it.
    """

    texts: Sequence[str]
    lines: Sequence[Listed]
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many there are by state."""
        return Counter(line.state for line in self.lines)

    @cached_property
    def digest(self) -> str:
        """SHA-256, hex, of what the findings say, but for what moves with each look."""
        return hashlib.sha256("".join(line.digest for line in self.lines).encode()).hexdigest()

    @cached_property
    def size(self) -> int:
        """Of all texts together, in characters."""
        return sum(line.size for line in self.lines)


def parse_query(given: Mapping[str, str], now: datetime, *, limit: int | None = REPORT_PAGE) -> Query:
    """The query that parameters ask for; `limit` is what holds where they name none. Raises UsageError."""
    for name, value in given.items():
        if len(value) > REPORT_PARAMETER_CHARS:
            raise _wrong(name, f"is longer than {REPORT_PARAMETER_CHARS} characters")
    equal = {name: given[name] for name in EQUAL if name in given}
    for name, words in (("state", STATES), ("severity", SEVERITIES)):
        if name in equal and equal[name] not in words:
            raise _wrong(name, f"must be one of {', '.join(words)}")
    unfit = [name for name in OF_FINDINGS if name in given and equal.get("state") == IN_SYNC]
    if unfit:
        raise _wrong(unfit[0], "is asked of findings: what is in sync has none")
    until = min(filter(None, (_instant(given, "until", now), _older(given, now))), default="")
    return Query(
        equal=equal,
        search=given.get("search", ""),
        since=_instant(given, "since", now),
        until=until,
        labels=_labels(given),
        holds=_holds(given),
        sort=_sort(given.get("sort", "firstSeen")),
        limit=parse_limit(given["limit"]) if "limit" in given else limit,
        fields=_fields(given.get("fields", "")),
        ignored=asked_flag(given, "includeIgnored"),
        asked=tuple(sorted((name, given[name]) for name in (*CHOSEN, "sort") if name in given)),
    )


def parse_limit(text: str, *, everything: bool = True) -> int | None:
    """A number of findings, or None for all. Raises UsageError."""
    if everything and text == ALL:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= REPORT_PAGE_MAX):
        alone = f", or {ALL}" if everything else ""
        raise _wrong("limit", f"must be a whole number from 1 to {REPORT_PAGE_MAX}{alone}")
    return int(text)


def age(text: str) -> timedelta | None:
    """A length of time such as `90m`, `1h30m` or `7d`; None for what is none."""
    if days := _DAYS.fullmatch(text):
        return timedelta(days=int(days[1]))
    found = nanoseconds(text)
    return timedelta(microseconds=float(found) / 1000) if found is not None and 0 <= found < 2**63 else None


def parse_since(text: str, now: datetime, name: str = "since") -> datetime:
    """An instant (RFC 3339 with its offset), or how long ago. Raises UsageError that names the parameter."""
    ago = age(text)
    with suppress(ValueError, OverflowError):
        found = now - ago if ago is not None else datetime.fromisoformat(text)
        if found.tzinfo is not None:
            # Nothing here is older, and years of three digits would not sort as text. An offset may lead past the last.
            return max(found, _FIRST).astimezone(UTC)
    raise _wrong(name, "must be a time such as 2030-01-02T03:04:05Z, or how long ago, such as 90m, 24h or 7d")


def parse_names(text: str) -> tuple[str, ...]:
    """Keys of labels, separated by commas. Raises UsageError."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(","))) if text else ()
    if len(names) > REPORT_LABELS or not all(_LABEL.fullmatch(name) for name in names):
        raise _wrong("labels", f"must be up to {REPORT_LABELS} keys of labels, such as team,cost_center")
    return names


def _instant(given: Mapping[str, str], name: str, now: datetime) -> str:
    return stamp(parse_since(given[name], now, name)) if name in given else ""


def _older(given: Mapping[str, str], now: datetime) -> str:
    if "minAge" not in given:
        return ""
    found = age(given["minAge"])
    if found is None:
        raise _wrong("minAge", "must be a length of time such as 30m, 1h30m or 7d")
    return stamp(now - found)


def _labels(given: Mapping[str, str]) -> tuple[Requirement, ...]:
    found = parse_selector(given.get("labelSelector", ""))
    if found is None:
        raise _wrong("labelSelector", "must be as kubectl takes it, such as team=shop,env in (prod,stage),!sandbox")
    return found


def _holds(given: Mapping[str, str]) -> tuple[Requirement, ...]:
    try:
        return parse_field_selector(given.get("fieldSelector", ""))
    except UsageError as error:
        raise _wrong("fieldSelector", error.message) from None


def asked_flag(given: Mapping[str, str], name: str) -> bool:
    """True for `true`, False for `false` and where it is not given. Raises UsageError."""
    if given.get(name, "false") not in ("true", "false"):
        raise _wrong(name, "must be true or false")
    return given.get(name) == "true"


def _sort(text: str) -> str:
    if text.removeprefix("-") not in SORTS:
        raise _wrong("sort", f"must be one of {', '.join(SORTS)}, with - before it for the other way round")
    return text


def _fields(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(","))) if text else ()
    if unknown := [name for name in names if name not in FIELDS]:
        raise _wrong("fields", f"knows no {unknown[0][:50]!r}; known: {', '.join(FIELDS)}")
    return names


def _wrong(name: str, why: str) -> UsageError:
    return UsageError(f"parameter {name!r} {why}")
