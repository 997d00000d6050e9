"""Owns the progress line of long builds on stderr; must not know what is built."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from setscrew.controlplane.limits import PROGRESS_LINE_SECONDS


@dataclass(slots=True)
class Progress:
    """One line that counts up: rewritten in place on a terminal; elsewhere printed when it changes and every 30 s."""

    stream: TextIO
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)
    _text: str = ""
    _printed: float = 0.0
    _width: int = 0

    def __post_init__(self) -> None:
        self._started = self.clock()

    def say(self, text: str) -> None:
        """Print a line of its own, now."""
        self._print(f"{text}\n")

    def tick(self, text: str) -> None:
        """Show `text` with the time since the start; call it about once a second."""
        now = self.clock()
        if self.stream.isatty():
            self._overwrite(f"{_minutes(now - self._started)} {text}")
        elif text != self._text or now - self._printed >= PROGRESS_LINE_SECONDS:
            self._text, self._printed = text, now
            self._print(f"{_minutes(now - self._started)} {text}\n")

    def done(self, text: str) -> None:
        """End the line with what was reached and the time it took."""
        if self._width:
            self._overwrite("")
            self._print("\r")
        self.say(f"{text} in {_minutes(self.clock() - self._started)}")

    def _overwrite(self, text: str) -> None:
        line = text[: shutil.get_terminal_size().columns - 1]  # a wrapped line cannot be rewritten
        self._print(f"\r{line.ljust(self._width)}")
        self._width = len(line)

    def _print(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
