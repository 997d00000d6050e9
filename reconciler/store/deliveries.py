"""Owns the memory of pushes already taken, so that a repeated delivery is known. Must not verify one."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select

from reconciler.limits import DELIVERIES_KEPT, DELIVERY_HOURS
from reconciler.model.instant import stamp
from reconciler.store.schema import DELIVERIES
from reconciler.store.state import State


def seen_delivery(state: State, receiver: str, delivery: str) -> bool:
    """True when this delivery was taken before; never for an empty id."""
    query = select(func.count()).where(
        DELIVERIES.c.cluster == state.cluster, DELIVERIES.c.receiver == receiver, DELIVERIES.c.delivery == delivery
    )
    with state.read() as connection:
        return bool(delivery) and bool(connection.execute(query).scalar())


def note_delivery(state: State, receiver: str, delivery: str, result: str, now: datetime) -> bool:
    """Remember a delivery whose signature passed; False when it was known. Old ones are forgotten."""
    mine = (DELIVERIES.c.cluster == state.cluster) & (DELIVERIES.c.receiver == receiver)
    row = {"cluster": state.cluster, "receiver": receiver, "delivery": delivery, "result": result, "time": stamp(now)}
    with state.write() as connection:
        old = DELIVERIES.c.time < stamp(now - timedelta(hours=DELIVERY_HOURS))
        connection.execute(delete(DELIVERIES).where(mine, old))
        if connection.execute(select(DELIVERIES.c.result).where(mine, DELIVERIES.c.delivery == delivery)).first():
            return False
        connection.execute(insert(DELIVERIES).values(row))
        oldest = select(DELIVERIES.c.time).where(mine).order_by(DELIVERIES.c.time.desc()).offset(DELIVERIES_KEPT)
        limit = connection.execute(oldest.limit(1)).scalar()
        if limit is not None:
            connection.execute(delete(DELIVERIES).where(mine, DELIVERIES.c.time <= limit))
    return True
