"""Owns the parts of one installation on one machine or in one pod: started together, ended together, restarted.

Must not do any of their work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from setscrew.talk import tell
from webhook.parent import ends_with_parent

_GRACE_SECONDS: Final = 15.0
_WATCH_SECONDS: Final = 0.2
_SETTLED_SECONDS: Final = 10.0
_EARLY_DEATHS: Final = 3
_LONGEST_WAIT_SECONDS: Final = 30.0
_TOLD: Final = (2, 3, 4, 5)


@dataclass(slots=True)
class Child:
    """A part: its `command` with `environment`, and whether it works. `once` is said to it until it has worked.

    `needed`: where it cannot even begin the others end with it, so that somebody sees why; else it is tried for ever.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], bool]
    once: Sequence[str] = ()
    needed: bool = True
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    # In this life, and in any.
    proven: bool = False
    settled: bool = False
    deaths: int = 0
    next_start: float = 0.0

    def start(self) -> None:
        """Start it, to end with this process."""
        self.started, self.next_start, self.proven = time.monotonic(), 0.0, False
        self.process = subprocess.Popen(
            [*self.command, *self.once],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            preexec_fn=ends_with_parent(signal.SIGTERM),  # noqa: PLW1509 - this process has one thread
        )

    def runs(self) -> bool:
        """True while its process is there."""
        return self.process is not None and self.process.poll() is None

    def settle(self) -> None:
        """It has lived a while, and works; what kills it later will pass. Long life alone may be a slow death."""
        lived = time.monotonic() - self.started
        if not self.proven and self.runs() and lived > _SETTLED_SECONDS and self.ready():
            self.proven, self.settled, self.deaths = True, True, 0
            # Said at the start, and done: what was switched since then must survive a death.
            self.once = ()


@dataclass(slots=True)
class Supervisor:
    """Starts the children and watches them. `run` returns the exit status."""

    children: list[Child]
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Until a signal (0), or until a needed child cannot even begin (its own status, which it has explained)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        try:
            for child in self.children:
                child.start()
            while not self._stop.wait(_WATCH_SECONDS):
                for child in self.children:
                    if status := self._watch(child):
                        return status
        finally:
            self._end()
        return 0

    def _watch(self, child: Child) -> int:
        """Start it again when it is dead and its time has come; the exit status if there is no use."""
        child.settle()
        if child.runs() or self._stop.is_set():
            return 0
        if child.next_start:
            if time.monotonic() >= child.next_start:
                child.start()
            return 0
        status = child.process.returncode if child.process else 0
        child.deaths += 1
        if child.needed and not child.settled and (child.deaths >= _EARLY_DEATHS or status in _TOLD):
            _say(f"the {child.name} ended with status {status}: giving up")
            return status if status in _TOLD else 2
        # The guard does not end because a part of it has to wait.
        wait = min(2.0 ** (child.deaths - 1), _LONGEST_WAIT_SECONDS) if child.deaths > 1 else 0.0
        child.next_start = time.monotonic() + wait
        _say(f"the {child.name} ended with status {status}: starting it again" + (f" in {wait:g} s" if wait else ""))
        return 0

    def _end(self) -> None:
        running = [child.process for child in self.children if child.process is not None and child.runs()]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _say(line: str) -> None:
    tell(f"setscrew: {line}")
