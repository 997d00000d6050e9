"""Owns who waits for which look at Git: one look at a source at a time, shared by all who asked before it began.

A look that was under way when somebody asked may have read Git before the push that they act on, so they wait for the
next one: looks of a source are generations, and who asks during generation n is answered by n + 1. However many ask,
at most two are in hand for a source. Must not know how a look is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.errors import place


@dataclass(slots=True, eq=False)
class Look:
    """One look at one source.

    `ahead`: its remote was seen ahead of what is enforced. `failed`: why it could not be read. `settled`: what was seen
    is enforced, or is known to have failed. `ended`: nothing more follows.
    """

    ahead: bool = False
    failed: str = ""
    settled: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What looks at several sources have seen so far, by name; `settled` and `ended` only where all of them are."""

    ahead: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    settled: bool = False
    ended: bool = False


class Looks:
    """`perform(name, noted)` looks at one source; it changes its Look and calls `noted` after each change."""

    def __init__(self, perform: Callable[[str, Look, Callable[[], None]], None]) -> None:
        self._perform = perform
        self._changed = threading.Condition()
        self._running: dict[str, Look] = {}
        self._queued: dict[str, Look] = {}

    def at(self, names: Iterable[str]) -> Iterator[Seen]:
        """What looks that begin after this call have seen so far, each time that there is news, until all ended."""
        with self._changed:
            looks = {name: self._join(name) for name in names}
        seen = Seen()
        while not seen.ended:
            with self._changed:
                while (now := self._seen(looks)) == seen:
                    self._changed.wait()
            yield (seen := now)

    def _join(self, name: str) -> Look:
        if name in self._running:
            return self._queued.setdefault(name, Look())
        look = Look()
        threading.Thread(target=self._run, args=(name, look), daemon=True).start()
        self._running[name] = look  # only now: with no thread to end it, all later askers would wait for ever
        return look

    def _run(self, name: str, look: Look | None) -> None:
        while look is not None:
            try:
                self._perform(name, look, self._noted)
            except Exception as error:  # noqa: BLE001 - who waits for the next look must not wait for ever
                look.failed = f"it could not be looked at: {place(error)}"
            with self._changed:
                look.settled = look.ended = True
                look = self._queued.pop(name, None)
                if look is None:
                    del self._running[name]
                else:
                    self._running[name] = look
                self._changed.notify_all()

    def _noted(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _seen(self, looks: Mapping[str, Look]) -> Seen:
        # A look that waits for its turn knows already what the one before it has seen.
        ahead = (
            name
            for name, look in looks.items()
            if not look.settled and (look.ahead or self._running.get(name, look).ahead)
        )
        failed = {name: look.failed for name, look in looks.items() if look.failed}
        settled = all(look.settled for look in looks.values())
        return Seen(tuple(ahead), failed, settled, all(look.ended for look in looks.values()))
