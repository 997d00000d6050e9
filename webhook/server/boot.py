"""Owns how a worker takes signals before it serves: one just ends it. Must not serve."""

from __future__ import annotations

import signal
from typing import Any


class EndsWhileBooting:
    """Beside a gunicorn worker class, before it: that one's own handlers are set by `serve_signals`, once it serves."""

    SIGNALS: list[Any]

    def init_process(self) -> None:
        """After the fork: let go of the master's signal handlers first, they would swallow an early SIGTERM."""
        self.init_signals()
        super().init_process()  # type: ignore[misc] # gunicorn's worker

    def init_signals(self) -> None:
        """Handlers of the worker would be called before there is anything to end."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def serve_signals(self) -> None:
        """From now on SIGTERM drains. uvloop loses what comes before its loop runs."""
        super().init_signals()  # type: ignore[misc] # as above
