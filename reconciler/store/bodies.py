"""Owns reading the bodies of findings when somebody asks for them. Must not choose findings, nor sort them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import overload

from sqlalchemy import Connection, select

from reconciler.limits import REPORT_FIRST, REPORT_PAGE_MAX
from reconciler.store.schema import DRIFT
from reconciler.store.state import plain_errors


class Bodies(Sequence[str]):
    """The findings of these ids as JSON, as of the moment of the store that `connection` sees; `held` ends it.

    Whoever goes through all has the first before the rest is read, and then holds the moment no longer: while it lasts
    the store cannot forget what was written since, and he may be slow. Any access may raise StoreError.
    """

    def __init__(self, connection: Connection, cluster: str, ids: Sequence[str], held: ExitStack) -> None:
        self._connection, self._cluster, self._ids, self._held = connection, cluster, ids, held
        self._whole: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if self._whole is not None:
            return self._whole[place]
        return self._read(self._ids[place]) if isinstance(place, slice) else self._read([self._ids[place]])[0]

    def __iter__(self) -> Iterator[str]:
        first = self[:REPORT_FIRST]
        yield from first
        if self._whole is None:
            self._whole = [*first, *self._read(self._ids[REPORT_FIRST:])]
            self.close()
        yield from self._whole[REPORT_FIRST:]

    def close(self) -> None:
        """What was not read by now cannot be read any more."""
        self._held.close()

    def _read(self, ids: Sequence[str]) -> list[str]:
        found: dict[str, str] = {}
        with plain_errors():
            for start in range(0, len(ids), REPORT_PAGE_MAX):
                some = DRIFT.c.id.in_(ids[start : start + REPORT_PAGE_MAX])
                query = select(DRIFT.c.id, DRIFT.c.body).where(DRIFT.c.cluster == self._cluster, some)
                found |= {row[0]: row[1] for row in self._connection.execute(query)}
        return [found[identity] for identity in ids]
