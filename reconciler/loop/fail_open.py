"""Owns the moments in which the API server let calls pass unanswered: counters and audit events become spans.

The counters tell how many and between which two looks; the audit log, where it can be read, tells who wrote what. What
the counters have and the log has not (another API server's, or left out by its policy) is told after one more look.
Must not read either: `reconciler.cluster` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from reconciler.cluster.fail_open import Count
from reconciler.model.blind import Blind, BlindLog
from reconciler.model.instant import stamp
from reconciler.report.audit_event import AuditEvent

_INSTANCES: Final = 16
_COUNTED: Final = "the API server let calls pass that got no answer; it counts dry-runs and failed requests among them"
_NAMED: Final = "named by the API server's audit log"
_NOT_NAMED: Final = f"{_COUNTED}, and its audit log here does not name all of them"


@dataclass(slots=True)
class Instance:
    """The last look at one API server: when, and what it had counted."""

    at: datetime
    calls: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class FailOpen:
    """`own` takes away, and returns, the canary's calls that were let through since it was asked last.

    `begun` is the first look ever; `totals` count by entry the calls that failed open since then, our own left out.
    """

    log: BlindLog
    own: Callable[[], Counter[str]]
    begun: datetime | None = None
    instances: dict[float, Instance] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    _last: datetime | None = None
    _unnamed: Counter[str] = field(default_factory=Counter)
    _unnamed_since: datetime | None = None

    def counted(self, count: Count, now: datetime, *, audited: bool = False) -> None:
        """Take one look at the counters; `audited`: an audit log is being followed, so what it names is left to it."""
        if audited:
            self._tell_unnamed()
        since, more = self._more(count, now)
        foreign = more - self.own()
        self.totals += foreign
        if more:
            self._last = now
        if audited:
            # The log names our own calls like all others. What it has named before it was counted stays below zero.
            self._unnamed.update(more)
            self._unnamed_since = self._unnamed_since or (since if more else None)
        elif foreign:
            self.log.begin(Blind("fail-open", since, None, tuple(sorted(foreign)), foreign.total(), _COUNTED))

    def named(self, events: Iterable[AuditEvent]) -> None:
        """Take events of the audit log that nobody of ours has judged."""
        found = [one for one in events if one.entries]
        for event in found:
            self._unnamed.subtract(event.entries)
        if stored := [one for one in found if one.stored]:
            entries = sorted({name for one in stored for name in one.entries})
            since = min(one.received for one in stored)
            self.log.begin(Blind("fail-open", since, None, tuple(entries), len(stored), _NAMED))
            self._last = max([one.answered for one in stored] + ([self._last] if self._last else []))

    def quiet(self, now: datetime, seconds: float) -> None:
        """End the span when nothing has failed open for so long; it ends when that was last seen."""
        if self._last is not None and (now - self._last).total_seconds() > seconds:
            self.log.end("fail-open", self._last)
            self._last = None

    def as_json(self) -> dict[str, Any]:
        """What must survive a restart."""
        instances = {
            str(started): {"at": stamp(one.at), "calls": dict(one.calls)} for started, one in self.instances.items()
        }
        begun = stamp(self.begun) if self.begun else ""
        return {"begun": begun, "instances": instances, "totals": dict(self.totals)}

    def restore(self, stored: Mapping[str, Any], now: datetime) -> None:
        """Go on where the process before this one ended, which may have left a span open."""
        if stored.get("begun"):
            self.begun = datetime.fromisoformat(stored["begun"])
        for started, one in (stored.get("instances") or {}).items():
            self.instances[float(started)] = Instance(datetime.fromisoformat(one["at"]), one["calls"])
        self.totals.update(stored.get("totals") or {})
        self._last = now

    def _tell_unnamed(self) -> None:
        unnamed = +self._unnamed
        if unnamed and self._unnamed_since:
            entries, since = tuple(sorted(unnamed)), self._unnamed_since
            self.log.begin(Blind("fail-open", since, None, entries, unnamed.total(), _NOT_NAMED))
        self._unnamed.subtract(unnamed)
        self._unnamed_since = None

    def _more(self, count: Count, now: datetime) -> tuple[datetime, Counter[str]]:
        """How many calls more by entry than at the last look at this API server, and since when that may be so."""
        last = self.instances.pop(count.started, None)
        # The newest last: what has not answered for long is an API server that is no more.
        self.instances[count.started] = Instance(now, dict(count.calls))
        for gone in list(self.instances)[:-_INSTANCES]:
            del self.instances[gone]
        first, self.begun = self.begun is None, self.begun or now
        started = datetime.fromtimestamp(count.started, UTC)
        if last is None and (first or started < self.begun):
            return now, Counter()  # counted before anybody looked
        before = last.calls if last else {}
        more = Counter({name: calls - before.get(name, 0) for name, calls in count.calls.items()})
        return last.at if last else started, +more
