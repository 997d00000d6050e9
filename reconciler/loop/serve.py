"""Owns the reconciler's threads and sockets: the refresh socket, decision datagrams, and the clockwork of passes.

Must not know what a pass does. Looks at Git for a push or a waiting writer have threads of their own, one a source;
another thread does the slow work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.errors import SetscrewError, place
from reconciler.gpu.users.model import Census
from reconciler.limits import LOOK_REASON_CHARS, LOOK_REASONS, PASS_SECONDS, REDISCOVER_SECONDS
from reconciler.loop.deletes import Deletes
from reconciler.loop.detecting import Detecting
from reconciler.loop.listening import listen
from reconciler.loop.looks import Look, Looks
from reconciler.loop.passes import Passed, Passes, full_pass, note
from reconciler.loop.receipt import receive
from reconciler.loop.reconciler import Reconciler
from reconciler.loop.schedule import Schedule
from reconciler.model.sockets import DECISIONS_SOCKET, RECONCILER_SOCKET
from reconciler.source.spec import GitSource
from reconciler.store.decisions import record_all
from reconciler.store.sources import SourceStatus

_POLL_SECONDS: Final = 0.5
# A look at Git that is under way when the process is to end may publish what it has read.
_END_SECONDS: Final = 5.0


@dataclass(slots=True)
class Clockwork:
    """Runs one reconciler until `stop`. Intervals are in seconds: `scan_seconds` lie between two full passes.

    `companions` run beside it, each in a thread of its own, until the event that they are given is set. `census` tells
    who uses which GPU class, None where nobody knows.
    """

    reconciler: Reconciler
    directory: Path
    scan_seconds: float = PASS_SECONDS
    upkeep_seconds: float = 600.0
    companions: list[Callable[[threading.Event], None]] = field(default_factory=list)
    census: Callable[[], Census | None] = lambda: None
    detecting: Detecting | None = None
    _full: Passes = field(init=False)
    _wake: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _schedule: Schedule = field(default_factory=Schedule)
    _followed: threading.Event = field(default_factory=threading.Event)
    _looks: Looks = field(init=False)
    _deletes: Deletes = field(default_factory=Deletes)

    def __post_init__(self) -> None:
        self._looks, self._full = Looks(self._look), Passes(self.scan_seconds)

    def detect(self, client: ApiClient, discovery: Discovery) -> None:
        """See drift as it happens, too; `client` watches."""
        found = Detecting(client, discovery, self.reconciler, self.census, self._deletes.waits, self.scan_soon)
        self.detecting = found
        self.companions.append(found.run)

    def stop(self) -> None:
        """End `run` soon; safe in a signal handler."""
        self._stop.set()
        self._wake.set()

    def scan_soon(self) -> None:
        """Compare all with the cluster at the next turn; safe in any thread."""
        self._full.soon()
        self._wake.set()

    def refresh(self, names: Collection[str] = ()) -> Iterator[dict[str, Any]]:
        """Look at Git now (named sources, or all): what is known so far, each time that there is news.

        `ahead`: sources whose remote is ahead of what is enforced. `failed`: why sources could not be read. `digest`:
        what is enforced, once all that was seen is. It ends with the server forms of a few changed objects; what is
        slower follows in its own thread.
        """
        known = (source.name for source in self.reconciler.sources.configured)
        for seen in self._looks.at([name for name in known if not names or name in names]):
            news = {"ahead": seen.ahead, "failed": dict(islice(seen.failed.items(), LOOK_REASONS))}
            yield news | ({"digest": self.reconciler.digest} if seen.settled else {})

    def follow(self, sources: Iterable[GitSource], others: Iterable[SourceStatus] = ()) -> None:
        """Follow these sources from now on, whatever was followed before; a snapshot follows. Safe in any thread.

        `others` are the states of what cannot be followed.
        """
        self.reconciler.sources.follow(sources, others)
        self._followed.set()

    def _look(self, name: str, look: Look, noted: Callable[[], None]) -> None:
        def ahead(_: str) -> None:
            look.ahead = True
            noted()

        sources = self.reconciler.sources.configured
        self._step(lambda: self.reconciler.sync([name], ahead))
        self._looked([name], sources)
        look.failed, look.settled = self.reconciler.trouble(name)[:LOOK_REASON_CHARS], True
        noted()
        # A sync that comes right after the push brings defaults that the offline form does not know.
        self._step(lambda: self.reconciler.confirm(datetime.now(UTC), quickly=True))
        self._wake.set()

    def answers(self, question: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
        """What is answered by the socket to {"op": …}; without an op, a source is looked at."""
        ops = {"switch": self.switch, "confirm": self.confirm}
        if question.get("op") in ops:
            return [ops[question["op"]](question)]
        names = [str(question["source"])] if question.get("source") else []
        try:
            if question.get("op") == "refresh":  # a person, who may be wrong
                self.reconciler.sources.named(names)
        except SetscrewError as error:
            return [_refused(error)]
        return self.refresh(names)

    def switch(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Change the mode of `sources` (none: all) to `enforced` or not; the modes before and after, or an error."""
        try:
            modes = self.reconciler.switch(
                map(str, question.get("sources") or ()), enforced=bool(question.get("enforced"))
            )
        except SetscrewError as error:
            return _refused(error)
        self.scan_soon()
        return {"modes": modes, "digest": self.reconciler.digest}

    def confirm(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Take what is held of one `source`; the revision ("": none was held) and what came of it, or an error."""
        name = str(question.get("source") or "")
        try:
            revision = self.reconciler.sources.confirm(name)
        except SetscrewError as error:
            return _refused(error)
        failed = [seen.failed for seen in self._looks.at([name] if revision else [])]
        return {"revision": revision, "failed": failed[-1].get(name, ""), "digest": self.reconciler.digest}

    def recorded(self, lines: list[bytes]) -> None:
        """Keep records of decisions, and what they tell of findings and deletes. Never raises."""
        self._step(lambda: record_all(self.reconciler.state, lines))
        self._step(lambda: self._deletes.note(lines, time.monotonic()))
        if (snapshot := self.reconciler.current) is not None:
            self._step(lambda: self.reconciler.ledger.recorded(lines, snapshot))

    def run(self) -> None:
        """Serve sockets and passes until stopped."""
        with ExitStack() as stack:
            for name, serve in ((RECONCILER_SOCKET, self._serve_refreshes), (DECISIONS_SOCKET, self._take_decisions)):
                path = self.directory / name
                path.unlink(missing_ok=True)
                stack.callback(path.unlink, missing_ok=True)
                serve(stack, path)
            for companion in self.companions:
                threading.Thread(target=companion, args=(self._stop,), daemon=True).start()
            self._step(self.reconciler.upkeep)
            poll = threading.Thread(target=self._poll, daemon=True)
            poll.start()
            self._passes()
            poll.join(_END_SECONDS)

    def _poll(self) -> None:
        """Look at all sources at first, then at each when its turn comes."""
        self._sync(self.reconciler.sources.named())
        self._step(self.reconciler.sources.tidy)
        while not self._stop.is_set():
            due = self._due()
            if due:
                self._sync(due)
            elif self._followed.wait(_POLL_SECONDS):
                self._followed.clear()
                self._step(self.reconciler.renew)
                self._step(self.reconciler.sources.tidy)
                self._wake.set()

    def _sync(self, names: Collection[str]) -> None:
        sources = self.reconciler.sources.configured
        self._step(partial(self.reconciler.sync, names))
        self._looked(names, sources)
        self._wake.set()

    def _due(self) -> list[str]:
        return self._schedule.due(self.reconciler.sources.configured, time.monotonic())

    def _looked(self, names: Collection[str], sources: Iterable[GitSource]) -> None:
        """`sources` as they were before the look: one that was defined otherwise meanwhile is still due."""
        for source in sources:
            if source.name in names:
                well = not self.reconciler.trouble(source.name)
                self._schedule.looked(source, well=well, now=time.monotonic())

    def _passes(self) -> None:
        looked, kept = 0.0, time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            self._step(lambda: self.reconciler.confirm(datetime.now(UTC)))
            if now - looked >= min(self.scan_seconds, REDISCOVER_SECONDS) or self._wake.is_set():
                self._wake.clear()
                self._step(lambda: self.reconciler.rediscover(datetime.now(UTC)))
                self._step(lambda: note(self.reconciler))
                looked = now
            self._pass()
            self._step(lambda: self.reconciler.age(datetime.now(UTC)))
            self._step(self._settle)
            if now - kept >= self.upkeep_seconds:
                self._step(self.reconciler.upkeep)
                kept = now
            self._wake.wait(min(1.0, self.scan_seconds))

    def _pass(self) -> None:
        """A full pass, if one is due: what is watched needs it rarely."""
        found, detecting, now = self.reconciler, self.detecting, time.monotonic()
        if detecting is not None and detecting.unwatched:
            self._full.unwatched(now)
        if found.undecided:
            self._full.soon()
        if found.current is None or not self._full.is_due(now):
            return
        if detecting is not None:
            detecting.prepare()
        self._full.began()
        began, snapshot = time.monotonic(), found.current
        ends: list[Passed] = []
        well = self._step(lambda: ends.append(full_pass(found, datetime.now(UTC), self.census())))
        self._full.ended(time.monotonic(), well=well)
        for passed in ends:
            if passed.unread or (passed.unseen and detecting is None):
                self._full.unwatched(time.monotonic())
            if detecting is not None:
                detecting.covered(began, snapshot, passed.unseen)

    def _settle(self) -> None:
        found = self.reconciler
        at = datetime.now(UTC), time.monotonic()
        self._deletes.settle(found.client, found.current, found.ledger, *at, self.census)
        if found.ledger.enricher.look(found.client, at[1]):
            self._full.soon()  # findings of before name others, or nobody
        if found.client and found.current and found.ledger.orphans.is_due(at[1]):
            with found.ledger.look() as look:
                orphans = found.ledger.orphans.look(found.client, found.current, at[0])
                found.ledger.put(look, orphans.found, found.current, at[0])

    def _step(self, work: Callable[[], object]) -> bool:
        """False where it failed."""
        try:
            work()
            return True
        except SetscrewError as error:
            self.reconciler.say(str(error))
        except Exception as error:  # noqa: BLE001 - one bad pass must not end the guard
            self.reconciler.say(f"a pass failed: {place(error)}")
        return False

    def _serve_refreshes(self, stack: ExitStack, path: Path) -> None:
        listen(stack, path, self.answers)

    def _take_decisions(self, stack: ExitStack, path: Path) -> None:
        receive(stack, path, self.recorded, self._stop)


def _refused(error: SetscrewError) -> dict[str, Any]:
    return {"error": error.message, "hint": error.hint, "code": error.code}
