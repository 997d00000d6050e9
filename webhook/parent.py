"""Owns the wish of a process to end with its parent, however the parent ends. Must not start anything."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1


def ends_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends the child `number` when the thread that starts it is gone (Linux only).

    So start the child from a thread that lives as long as the process: the main one.
    """
    return partial(_end_with, os.getpid(), number)


def worker_ends_with_master(master: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's `post_fork`
    """A worker that outlives a killed master would keep the port, and take requests that nobody serves any more."""
    _end_with(master.pid, signal.SIGKILL)


def _end_with(parent: int, number: signal.Signals) -> None:
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the wish was heard
