"""Owns the thread that watches over the guard itself: canary, counters, audit log, each at its pace. Must not judge.

One thread for all three, so that the canary's own calls are told from those of others between two looks.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.audit_log import AuditLog, Place
from reconciler.cluster.canary import Finding, attempt
from reconciler.cluster.fail_open import read_count
from reconciler.cluster.registered import Registered, read_registered
from reconciler.cluster.samples import METRICS
from reconciler.errors import ApiError, ClusterError, SetscrewError, place
from reconciler.limits import (
    AUDIT_LOG_SECONDS,
    AUDIT_NAMED,
    CANARY_SECONDS,
    CANARY_SETTLE_SECONDS,
    CANARY_SETTLE_SECONDS_MOST,
    FAIL_OPEN_SECONDS,
    SLIPPED_KEPT,
)
from reconciler.loop.canary import Canary, Target, Unasked, all_asked, restored
from reconciler.loop.fail_open import FailOpen
from reconciler.loop.slipped import concerns
from reconciler.model.blind import Slipped
from reconciler.model.instant import stamp
from reconciler.model.own import REGISTRATION
from reconciler.report.audit_event import AuditEvent, read_event
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.blind import StoredBlindLog, keep_slipped, read_watch, save_watch
from reconciler.store.state import State

_INNER: Final = "inner"


@dataclass(slots=True)
class Watching:
    """`reader` reads registration and metrics; `canary_client` is the identity that may not, None where there is none.

    Intervals are in seconds. `run` is for a thread of its own; `who` may be asked by any.
    """

    reader: ApiClient
    canary_client: ApiClient | None
    audit: AuditLog | None
    snapshot: Callable[[], MemorySnapshot | None]
    state: State
    log: StoredBlindLog
    say: Callable[[str], None]
    now: Callable[[], datetime]
    canary_seconds: float = CANARY_SECONDS
    unasked: Unasked = all_asked
    _canary: Canary = field(init=False)
    _fail_open: FailOpen = field(init=False)
    _registrations: deque[AuditEvent] = field(default_factory=lambda: deque(maxlen=AUDIT_NAMED))
    _slipped: deque[Slipped] = field(default_factory=lambda: deque(maxlen=SLIPPED_KEPT))
    _stop: threading.Event = field(default_factory=threading.Event)
    _reading: threading.RLock = field(default_factory=threading.RLock)
    _seen: tuple[str, str] = ("", "")
    _changed: float = 0.0
    _told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._canary = Canary(self._attempt, self.snapshot, self.log, self.say, self._stop.wait, self.unasked)
        self._fail_open = FailOpen(self.log, self._own_calls)
        self._canary.known = restored(read_watch(self.state, "canary"))
        inner = read_watch(self.state, _INNER)
        self._canary.admitted.update(inner.get("own") or {})
        self._fail_open.restore(inner.get("failOpen") or {}, self.now())
        if self.audit is not None and inner.get("auditLog"):
            self.audit.place = Place(**inner["auditLog"])

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set."""
        self._stop = stop
        self._canary.wait = stop.wait
        due = {"canary": time.monotonic(), "counters": 0.0}
        while not stop.wait(min(AUDIT_LOG_SECONDS, self.canary_seconds)):
            now = time.monotonic()
            self._step(self._follow)
            if now >= due["counters"]:
                self._step(self._count)
                due["counters"] = now + self._pace
            if now >= due["canary"] and self._step(partial(self._prove, now - due["canary"])):
                due["canary"] = now + self.canary_seconds
            self.log.flush()

    def who(self, since: datetime) -> str:
        """Who wrote or deleted the registration last, `since` then, as the audit log has it; "" where it does not."""
        self._step(self._follow)
        with self._reading:
            found = [one for one in self._registrations if one.answered >= since]
        return found[-1].write.user if found else ""

    @property
    def _pace(self) -> float:
        return min(FAIL_OPEN_SECONDS, self.canary_seconds)

    def _attempt(self, target: Target) -> Finding:
        if self.canary_client is None:
            raise AssertionError("nobody to try as")
        found = attempt(self.canary_client, target.kind, target.ref.namespace, target.ref.name, target.subresource)
        if found.proof == "blind" and self._is_off():
            return Finding("unsure", "the guard was switched off meanwhile")
        return found

    def _is_off(self) -> bool:
        with suppress(ClusterError):
            return bool(read_registered(self.reader).off)
        return False

    def _own_calls(self) -> Counter[str]:
        own, self._canary.admitted = self._canary.admitted, Counter()
        return own

    def _prove(self, late: float) -> bool:
        """One round of the canary; False where it should be tried again soon."""
        if self.canary_client is None:
            fix = "give --canary-kubeconfig: an identity that may patch guarded kinds and is no writer of any policy"
            self._save("canary", {"state": "not-configured", "detail": "nobody proves that the guard sees", "fix": fix})
            return True
        try:
            registered = read_registered(self.reader)
        except ClusterError as error:
            self._save_canary("unsure", f"the registration cannot be read: {error.message}")
            return True
        if registered.off:
            self._canary.off(self.now())
            self._save_canary("off", f"switched off {registered.off}", "`setscrew register` switches it on again")
            return True
        if not self._is_settled(registered) and late < CANARY_SETTLE_SECONDS_MOST:
            return False
        self._canary.round(registered, self.now())
        self._save_canary(self._canary.state)
        self._keep_place()
        return True

    def _is_settled(self, registered: Registered) -> bool:
        """Whether API server and workers have had the time to take up what is in force."""
        snapshot = self.snapshot()
        seen = (registered.version, snapshot.digest if snapshot else "")
        if seen != self._seen:
            self._seen, self._changed = seen, time.monotonic()
        return time.monotonic() - self._changed >= CANARY_SETTLE_SECONDS

    def _save_canary(self, state: str, detail: str = "", fix: str = "") -> None:
        canary = self._canary
        worst = next((one for one in canary.known.values() if one.proof == state and state != "sees"), None)
        if not detail and (reason := self._waited_for(state)):
            state, detail = "waiting", reason
        entries = {name: one.as_json() for name, one in sorted(canary.known.items())}
        found = {
            "state": state,
            "detail": detail or (worst.as_json()["detail"] if worst else ""),
            "fix": fix or (worst.fix if worst else ""),
            "saw": stamp(canary.saw) if canary.saw else "",
            "unproved": list(canary.unproved),
            "entries": entries,
        }
        self._save("canary", found)

    def _waited_for(self, state: str) -> str:
        """Why nothing, or not all, has been proved yet; "" where something else is the matter."""
        canary = self._canary
        if state == "sees" and canary.pending:
            return f"{canary.pending} entries have not had their turn yet"
        if state != "unsure":
            return ""
        if not canary.known:
            return "no object that Git declares is enforced with action Deny yet"
        nothing_there = all(one.proof == "gone" and not one.blind for one in canary.known.values())
        return "none of the objects that were tried is in the cluster yet" if nothing_there else ""

    def _count(self) -> None:
        now = self.now()
        try:
            count = read_count(self.reader)
        except ApiError as error:
            fix = f"let the reconciler get the nonResourceURL {METRICS} (manifests/base/rbac.yaml)"
            self._save("failOpen", {"state": "unknown", "detail": error.message, "fix": fix})
        except ClusterError as error:
            self._save("failOpen", {"state": "unknown", "detail": error.message, "fix": ""})
        else:
            self._fail_open.counted(count, now, audited=self._state_of("auditLog") == "followed")
            self._save("failOpen", {"state": "counted", "detail": "", "fix": "", "calls": dict(self._fail_open.totals)})
        self._fail_open.quiet(now, self._pace * 1.5)
        self._keep_place()

    def _follow(self) -> None:
        with self._reading:
            if self.audit is not None:
                self._take(self.audit)

    def _take(self, audit: AuditLog) -> None:
        events, found = _read_on(audit)
        self._registrations += [one for one in events if one.stored and _is_registration(one)]
        snapshot, unjudged = self.snapshot(), [one for one in events if one.entries]
        stored = (one.write for one in unjudged if one.stored)
        self._slipped += [write for write in stored if snapshot is None or concerns(snapshot, write)]
        self._fail_open.named(unjudged)
        self._save("auditLog", found)
        if unjudged or self._slipped:
            self._keep_place()

    def _keep_place(self) -> None:
        """Store what slipped through, and only then how far the log was read: a full disk must lose no name.

        Others may read on in the meantime (`who`), so both belong together.
        """
        with self._reading:
            if self._slipped:
                keep_slipped(self.state, self._slipped)
                self._slipped.clear()
            inner: dict[str, Any] = {"failOpen": self._fail_open.as_json(), "own": dict(self._canary.admitted)}
            if self.audit is not None:
                one = self.audit.place
                inner["auditLog"] = {"device": one.device, "inode": one.inode, "offset": one.offset}
            save_watch(self.state, _INNER, inner)

    def _save(self, name: str, found: dict[str, Any]) -> None:
        """Store how a watch stands, and say it where that is new."""
        state, before = str(found["state"]), self._state_of(name)
        if state not in (before, "blind") and (before or state not in _QUIET):
            told = f": {found['detail']}" if found["detail"] else ""
            self.say(f"{_NAMES[name]} {state}{told}" + (f" ({found['fix']})" if found["fix"] else ""))
        # The log is looked at each second, and mostly nothing has changed.
        if name != "auditLog" or found != self._told.get(name):
            save_watch(self.state, name, {**found, "at": stamp(self.now())})
        self._told[name] = found

    def _state_of(self, name: str) -> str:
        return str(self._told.get(name, {}).get("state", ""))

    def _step(self, work: Callable[[], Any]) -> bool:
        """False where `work` says so."""
        try:
            return work() is not False
        except SetscrewError as error:
            self.say(str(error))
        except Exception as error:  # noqa: BLE001 - one bad look must not end the watch
            self.say(f"a look at the guard itself failed: {place(error)}")
        return True


_QUIET: Final = ("waiting", "sees", "counted", "followed")
_NAMES: Final = {"canary": "canary:", "failOpen": "calls that fail open:", "auditLog": "audit log of the API server:"}


def _read_on(audit: AuditLog) -> tuple[list[AuditEvent], dict[str, Any]]:
    """What has come since, also where reading ends in an error, and how the log stands."""
    events: list[AuditEvent] = []
    try:
        events.extend(event for line in audit.lines() if (event := read_event(line)) is not None)
    except OSError as error:
        fix = "give the log of this cluster's API server, readable here, with --api-audit-log"
        return events, {"state": "unknown", "detail": str(error.strerror), "fix": fix}
    detail = f"{audit.lost} gaps: parts of it were gone before they were read" if audit.lost else ""
    return events, {"state": "followed", "detail": detail, "fix": ""}


def _is_registration(event: AuditEvent) -> bool:
    return (event.write.resource, event.write.name) == ("validatingwebhookconfigurations", REGISTRATION)
