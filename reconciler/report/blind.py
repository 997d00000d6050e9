"""Owns the words for spans of blindness, and their part of the drift report. Must not find or store one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.limits import BLIND_SHOWN
from reconciler.model.own import ENTRY_SUFFIX
from reconciler.report.printable import one_line

_SHOWN_ENTRIES: Final = 5
_SHOWN_ENDED: Final = 3
# What changes at each look though nothing happened.
_VOLATILE: Final = ("seen",)
# States of a watch that need no word: it does what it is there for, or there is nothing to do yet.
_WELL: Final = ("sees", "counted", "followed", "waiting")
_WATCHES: Final = {
    "canary": "Canary",
    "failOpen": "Calls that fail open",
    "auditLog": "Audit log of the API server",
}


def blind_summary(spans: Sequence[Mapping[str, Any]], watches: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`summary.blind`: open spans, the last ended ones, and how each way to know of one stands."""
    ended = [dict(span) for span in spans if span.get("until")]
    stand = {name: {key: one.get(key, "") for key in ("state", "detail", "fix")} for name, one in watches.items()}
    return {"open": [dict(span) for span in spans if not span.get("until")], "last": ended[:BLIND_SHOWN]} | stand


def steady(summary: Mapping[str, Any]) -> dict[str, Any]:
    """A `blind_summary` without the times that move with each look."""
    spans = {
        name: [{key: value for key, value in span.items() if key not in _VOLATILE} for span in summary.get(name, ())]
        for name in ("open", "last")
    }
    return {**summary, **spans}


def blind_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """A `blind_summary` for people: what is, what was, and which watch does not stand well."""
    for span in (*summary.get("open", ()), *summary.get("last", ())[:_SHOWN_ENDED]):
        line = blind_line(span)
        yield line[0].upper() + line[1:]
    for name, title in _WATCHES.items():
        one = summary.get(name) or {}
        if one and one.get("state") not in _WELL:
            detail = f": {one['detail']}" if one.get("detail") else ""
            fix = f" ({one['fix']})" if one.get("fix") else ""
            yield one_line(f"{title}: {one.get('state')}{detail}{fix}")


def blind_line(span: Mapping[str, Any]) -> str:
    """`blind from … to …: 12 writes passed unjudged (fail-open; apps-v1): …`, of a span as JSON; printable."""
    until = f"to {span['until']}" if span.get("until") else "until now"
    head = f"blind from {span.get('since')} {until}: {_passed(span.get('writes'))} ({span.get('cause')}{_where(span)})"
    return one_line(f"{head}: {span['detail']}" if span.get("detail") else head)


def _passed(writes: int | None) -> str:
    if writes is None:
        return "how many writes passed unjudged is not known"
    return f"{writes} {'write' if writes == 1 else 'writes'} passed unjudged"


def _where(span: Mapping[str, Any]) -> str:
    names = [str(name).removesuffix(ENTRY_SUFFIX) for name in span.get("entries") or ()]
    if not names:
        return ", all entries"
    shown = ", ".join(names[:_SHOWN_ENTRIES])
    more = f" and {len(names) - _SHOWN_ENTRIES} more" if len(names) > _SHOWN_ENTRIES else ""
    return f"; {'entry' if len(names) == 1 else 'entries'} {shown}{more}"
