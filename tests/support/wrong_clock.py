"""Owns a wall clock that is wrong: a fake, for no test may set the clock of the machine. Must not judge times.

What runs in this process and asks `datetime.now` is told another time; monotonic clocks go on, as they do where a real
clock is set.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final
from unittest.mock import patch

_READERS: Final = ("reconciler.loop.", "setscrew.reconcile")


@dataclass
class WrongClock:
    """Ahead by `by`, or behind where that is negative. Set it at any time: then the clock jumps."""

    by: timedelta = timedelta()


@contextmanager
def wrong_clock() -> Iterator[WrongClock]:
    """Right at first; all that a reconciler reads the time with until the end."""
    clock = WrongClock()

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + clock.by

    asking = [
        module for name, module in sys.modules.items() if name.startswith(_READERS) and hasattr(module, "datetime")
    ]
    assert asking
    with ExitStack() as stack:
        for module in asking:
            stack.enter_context(patch.object(module, "datetime", Wrong))
        yield clock
