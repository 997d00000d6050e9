"""Owns keeping the registration: whatever happens to it, it is put back, unless there is a reason to stay away.

Reasons are the off-switch, a grant that covers it, and an admission server that does not answer: a guard that cannot be
reached is an outage. All writes are made in one thread. Must not build, nor know a Kubernetes library: client, bell,
probe and grants are injected. Several keepers may keep one object; nothing is remembered but what this one has written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconciler.errors import ApiError, ClusterError, place
from reconciler.limits import (
    REGISTRATION_LOOK_SECONDS,
    REGISTRATION_PATIENCE_SECONDS,
    REGISTRATION_RETRY_SECONDS,
    REGISTRATION_TOLD_SECONDS,
    REGISTRATION_WAIT_SECONDS,
)
from reconciler.model.blind import Blind, BlindCause, BlindLog
from reconciler.policy.grant import Grant
from webhook.registration.apply import Api, current, ours, switched_off, take_away, write
from webhook.registration.change import Change, Document, change
from webhook.registration.fights import Fights
from webhook.registration.known import covered, happened, moment, since

_ALL: Final = Change(None)
_FASTER: Final = (404, 409)


class NoBlindLog:
    """Keeps nothing."""

    def begin(self, blind: Blind) -> None:
        """See `BlindLog`."""

    def end(self, cause: BlindCause, until: datetime) -> None:
        """See `BlindLog`."""


def nobody(_: datetime) -> str:
    """Without an audit log nobody knows who took the registration away."""
    return ""


def _unheard(_: Document) -> None:
    """Nobody waits for it."""


@dataclass(slots=True)
class Keeper:
    """Keeps what was last asked for with `want`, from `start` on.

    `bell` is endless and rings when the object may have changed. `probe` says why the admission server does not answer,
    "" if it does. `say` takes one line for the log; `done` hears of each document that the API server has taken.
    `user` names who changed the registration last since a moment, where an audit log tells.
    """

    api: Api
    bell: Callable[[], Iterator[object]]
    probe: Callable[[], str]
    grants: Callable[[], Sequence[Grant]]
    say: Callable[[str], None]
    now: Callable[[], datetime]
    blind: BlindLog = field(default_factory=NoBlindLog)
    done: Callable[[Document], None] = _unheard
    user: Callable[[datetime], str] = nobody
    clock: Callable[[], float] = time.monotonic
    _wanted: Document | None = None
    _written: Document | None = None
    _right: datetime = field(init=False)
    _kept: tuple[str, ...] = ()
    _what: str = ""
    _lost: bool = False
    _away: str = ""
    _away_since: float = 0.0
    _told: float | None = None
    _fights: Fights = field(default_factory=Fights)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopped: bool = False
    _asked: int = 0
    _answered: int = 0
    _rung: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._right = self.now()

    def start(self) -> None:
        """Begin, once; without `stop` both threads end with the process."""
        if not self._threads:
            self._threads = [threading.Thread(target=work, daemon=True) for work in (self._listen, self._run)]
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """End, and wait for it: until the bell has rung once more."""
        with self._changed:
            self._stopped = True
            self._ring()
        for thread in self._threads:
            thread.join()

    def want(self, document: Document, seconds: float = REGISTRATION_WAIT_SECONDS) -> None:
        """Keep this document from now on; waits until it stands, but no longer than that."""
        with self._changed:
            self._wanted = document
            self._asked += 1
            asked = self._asked
            self._ring()
            if self._threads and document != self._written:
                self._changed.wait_for(lambda: self._answered >= asked, seconds)

    def look(self) -> float:
        """Look once, and write what is due; the seconds until the next look. Never raises."""
        with self._changed:
            wanted, asked = self._wanted, self._asked
        if wanted is None:
            return REGISTRATION_LOOK_SECONDS
        try:
            wait = self._look(wanted)
        except ClusterError as error:
            # Who was faster rings the bell.
            if not (isinstance(error, ApiError) and error.status in _FASTER):
                self._stay("failed", f"registration failed, what is registered goes on: {error}")
            wait = REGISTRATION_RETRY_SECONDS
        except Exception as error:  # noqa: BLE001 - one bad look must not end the guard of the guard
            self._stay("failed", f"registration failed, what is registered goes on: {place(error)}")
            wait = REGISTRATION_RETRY_SECONDS
        with self._changed:
            # Whoever waits goes on without it where it stays away.
            self._answered = asked
            self._changed.notify_all()
        return wait

    def _look(self, wanted: Document) -> float:
        live = current(self.api)
        if live is not None and (off := switched_off(live)):
            if ours(live):
                # Restored in the moment in which it was thrown, or noted by hand: the note must not say what is not.
                take_away(self.api, live)
            line = f"the guard was switched off at {off}: only `setscrew register` switches it on"
            self._stay("off", line, lost=_ALL, at=moment(off))
            return REGISTRATION_LOOK_SECONDS
        found = change(live, wanted)
        for line in (one for one in found.kept if one not in self._kept):
            self.say(line)
        self._kept = found.kept
        if not found:
            self._stand(wanted)
            return REGISTRATION_LOOK_SECONDS
        if self._written is not None and change(live, self._written):
            self._what = self._what or happened(live, self._right, self.now(), self.user)
        return self._due(live, wanted, found)

    def _due(self, live: Document | None, wanted: Document, found: Change) -> float:
        """Write what differs, unless there is a reason not to."""
        # Nobody's doing: what is wanted has changed, and grants are about what people do.
        ours = self._written is not None and not self._what
        at = since(live, self._right, self.now()) if self._what else None
        if reason := self.probe() or ("" if ours else covered(self.grants(), self.now())):
            line = f"the registration stays away: {reason}"
            self._stay("away", f"{line} ({self._what})" if self._what else line, found, at, patient=not self._what)
            return REGISTRATION_RETRY_SECONDS
        if self._what and (wait := self._fights.wait(self.clock())):
            line = f"{self._what}, again and again: the registration is put back every few seconds only"
            self._stay("fight", line, found, at)
            return wait
        if self._what:
            self._lose(found, at, self._what)
            self._fights.note(self.clock())
        write(self.api, live, found)
        done = f"put back ({self._what})" if self._what else "created" if live is None else "changed"
        self.say(f"registration {done}: {len(wanted['webhooks'])} entries")
        self._stand(wanted)
        return REGISTRATION_LOOK_SECONDS

    def _stay(
        self, why: str, line: str, lost: Change | None = None, at: datetime | None = None, *, patient: bool = False
    ) -> None:
        """Nothing is written, and `line` says why, once a minute. `patient`: what is starting gets a moment."""
        tick = self.clock()
        if self._away != why:
            self._away, self._away_since, self._told = why, tick, None
        if patient and tick - self._away_since < REGISTRATION_PATIENCE_SECONDS:
            return
        if lost is not None:
            self._lose(lost, at, line)
        if self._told is None or tick - self._told >= REGISTRATION_TOLD_SECONDS:
            self.say(line)
            self._told = tick

    def _lose(self, found: Change, at: datetime | None, detail: str) -> None:
        """Entries are gone, or not as they should be: writes pass unseen."""
        if found is _ALL or found.missing:
            self._lost = True
            self.blind.begin(Blind("registration", at or self.now(), entries=found.missing, detail=detail))

    def _stand(self, wanted: Document) -> None:
        """It is as it is wanted."""
        if self._told is not None:
            self.say("the registration stands again")
        if self._lost:
            self.blind.end("registration", self.now())
        self._what, self._away, self._told, self._lost, self._right = "", "", None, False, self.now()
        if self._written is not wanted:
            self._written = wanted
            self.done(wanted)

    def _ring(self) -> None:
        self._rung = True
        self._changed.notify_all()

    def _listen(self) -> None:
        for _ in self.bell():
            with self._changed:
                self._ring()
            if self._stopped:
                return

    def _run(self) -> None:
        wait = 0.0
        while not self._stopped:
            with self._changed:
                self._changed.wait_for(lambda: self._rung, wait)
                self._rung = False
            wait = self.look()
