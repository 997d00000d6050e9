"""Owns how the table of GPU classes is printed. Must not find what it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from reconciler.gpu.users.model import Users
from setscrew.cli.common import print_json, print_yaml
from setscrew.cli.table import print_rows
from setscrew.gpu.capacity import counted
from setscrew.gpu.model import Found, Row

_COLUMNS: Final = ("CLASS", "DEFINED BY", "CAPACITY", "USERS", "GUARDED SINCE")
_LINES: Final = 6
_TENANTS: Final = 3
_COMMIT_CHARS: Final = 9


def print_classes(rows: Sequence[Row], found: Found, output: str) -> None:
    """The rows in one of the formats of `gpu show`."""
    if output == "table":
        if rows:
            print_rows(_COLUMNS, map(_cells, rows))
        return
    listing = {"seenAt": found.census.at, "classes": [row.as_json() for row in rows], "unread": dict(found.unread)}
    if output == "json":
        print_json(listing)
    else:
        print_yaml([listing])


def _cells(row: Row) -> list[str | list[str]]:
    return [
        str(row.name),
        [str(row.object), row.place] if row.object else "-",
        _first(map(str, row.capacity)),
        list(_users(row)),
        _guarded(row),
    ]


def _first(lines: Iterable[str]) -> list[str]:
    """The first lines, and how many there are beside; "-" where there are none."""
    listed = list(lines)
    beside = [f"and {len(listed) - _LINES} more"] if len(listed) > _LINES else []
    return [*listed[:_LINES], *beside] or ["-"]


def _users(row: Row) -> Iterator[str]:
    """`12 running, 3 pending`, then the namespaces; nobody is said only where all was seen."""
    users = row.users
    if users is None:
        yield "not known"
        return
    found = [f"{count} {what}" for what, count in (("running", users.running), ("pending", users.pending)) if count]
    found += [counted(count, what) for what, count in (("template", users.templates), ("claim", users.claims)) if count]
    found += [counted(count, what) for what, count in users.others.items()]
    if found:
        yield f"at least {', '.join(found)}" if row.unknown else ", ".join(found)
    else:
        yield "no Pods" if users.nodes else "nobody"
    yield from _tenants(users)


def _tenants(users: Users) -> Iterator[str]:
    shown = users.tenants[:_TENANTS]
    names = [f"{one.namespace} ({one.owner})" if one.owner else one.namespace for one in shown]
    if names:
        more = max(users.namespaces, len(users.tenants)) - len(shown)
        yield f"in {', '.join(names)}" + (f" and {more} more" if more > 0 else "")


def _guarded(row: Row) -> list[str]:
    if row.guarded is None:
        return ["-"]
    commit = [f"{row.guarded.source} at {row.guarded.commit[:_COMMIT_CHARS]}".removesuffix(" at ")]
    return [row.guarded.since or "before it was noted", *commit]
