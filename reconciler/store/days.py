"""Owns how much happened on each of the last days, by namespace. Must not decide that anything happened.

Counted where it happens, in the same transaction: what is stored is counted once, whatever ends in between.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from reconciler.limits import DAYS_KEPT
from reconciler.report.days import Day, day_of, days_until
from reconciler.store.schema import DAYS
from reconciler.store.state import State

Count = Literal["found", "resolved", "denials"]
_COUNTS: Final[tuple[Count, ...]] = ("found", "resolved", "denials")


def count_days(connection: Connection, cluster: str, events: Iterable[tuple[Count, str, str]]) -> None:
    """What, when (RFC 3339) and in which namespace ("": in none), in the caller's write transaction."""
    days: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for what, time, namespace in events:
        days[day_of(time), namespace][what] += 1
    for (day, namespace), counts in days.items():
        _add(connection, cluster, day, namespace, counts)


def open_day(connection: Connection, cluster: str, time: str) -> None:
    """Count the day of `time` (RFC 3339), also where nothing happens on it, in the caller's write transaction."""
    _add(connection, cluster, day_of(time), "", {})


def read_days(state: State, until: str, days: int = DAYS_KEPT, scope: frozenset[str] | None = None) -> list[Day]:
    """So many days without a hole, oldest first, the last that of `until` (RFC 3339). Raises StoreError.

    `scope`: in these namespaces alone; None: all, and what is in none.
    """
    wanted, mine = days_until(until, days), DAYS.c.cluster == state.cluster
    sums = [func.sum(DAYS.c[name]).label(name) for name in _COUNTS]
    terms = [mine, DAYS.c.day >= wanted[0], DAYS.c.day <= wanted[-1]]
    if scope is not None:
        terms.append(DAYS.c.namespace.in_(sorted(scope)))
    query = select(DAYS.c.day, *sums).where(and_(*terms)).group_by(DAYS.c.day)
    with state.read() as connection:
        first = connection.execute(select(func.min(DAYS.c.day)).where(mine)).scalar()
        found = {row.day: Day(row.day, row.found, row.resolved, row.denials) for row in connection.execute(query)}
    return [found.get(day, Day(day, counted=first is not None and first <= day)) for day in wanted]


def read_days_by_namespace(
    state: State, until: str, days: int = DAYS_KEPT, scope: frozenset[str] | None = None
) -> dict[str, list[Day]]:
    """As `read_days`, of each namespace in which something happened ("": of what is in none). Raises StoreError."""
    wanted, mine = days_until(until, days), DAYS.c.cluster == state.cluster
    terms = [mine, DAYS.c.day >= wanted[0], DAYS.c.day <= wanted[-1]]
    if scope is not None:
        terms.append(DAYS.c.namespace.in_(sorted(scope)))
    columns = (DAYS.c.namespace, DAYS.c.day, *(DAYS.c[name] for name in _COUNTS))
    found: defaultdict[str, dict[str, Day]] = defaultdict(dict)
    with state.read() as connection:
        first = connection.execute(select(func.min(DAYS.c.day)).where(mine)).scalar()
        for row in connection.execute(select(*columns).where(and_(*terms))):
            found[row.namespace][row.day] = Day(row.day, row.found, row.resolved, row.denials)
    nothing = {day: Day(day, counted=first is not None and first <= day) for day in wanted}
    return {name: list((nothing | held).values()) for name, held in found.items()}


def _add(connection: Connection, cluster: str, day: str, namespace: str, counts: Mapping[str, int]) -> None:
    if not day:  # a time that is none
        return
    mine = and_(DAYS.c.cluster == cluster, DAYS.c.day == day, DAYS.c.namespace == namespace)
    more = {name: DAYS.c[name] + counts.get(name, 0) for name in _COUNTS}
    if connection.execute(update(DAYS).where(mine).values(more)).rowcount:
        return
    row = {"cluster": cluster, "day": day, "namespace": namespace}
    connection.execute(insert(DAYS).values(row | {name: counts.get(name, 0) for name in _COUNTS}))
    _cut(connection, cluster)


def _cut(connection: Connection, cluster: str) -> None:
    """Of days, not by the clock: one that was far ahead for a moment must not take all that was counted."""
    mine = DAYS.c.cluster == cluster
    kept = select(DAYS.c.day).distinct().where(mine).order_by(DAYS.c.day.desc()).offset(DAYS_KEPT).limit(1)
    oldest = connection.execute(kept).scalar()
    if oldest is not None:
        connection.execute(delete(DAYS).where(mine, DAYS.c.day <= oldest))
