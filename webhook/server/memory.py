"""Owns how long-lived processes use memory and the interpreter: what workers share, what goes back, who waits.

What is set of malloc is set where there is glibc; elsewhere nothing but memory is different. Must not decide.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final, TypeVar

from reconciler.limits import KIB, THREAD_SWITCH_SECONDS

_Result = TypeVar("_Result")

# What a worker needs, loaded before the fork: its pages are then shared until somebody writes to them.
_MODULES: Final = (
    *(("uvloop",) if sys.platform == "linux" else ()),
    "webhook.decision.decide",
    "webhook.decision.review",
    "webhook.server.feed",
)
# mallopt(3). What is larger than the mapping threshold is a mapping of its own, so its end gives it back: by default
# glibc raises that threshold with the first one that is freed, and keeps the next ones, in pieces, for good. It stays
# above the 256 KiB that uvloop reads into: a mapping and its page faults at each read are a fifth of a small review.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# New objects in cycles or containers, net: a few hundred reviews.
_COLLECTED_AFTER: Final = 20_000
_SETTINGS: Final = ((_MMAP_THRESHOLD, 512 * KIB), (_TRIM_THRESHOLD, 512 * KIB), (_ARENA_MAX, 1))


def settle() -> None:
    """Before the first thread: what is let go goes back, and no thread keeps the interpreter from others for long."""
    for setting in _SETTINGS:
        _malloc("mallopt", *setting)
    sys.setswitchinterval(THREAD_SWITCH_SECONDS)


def prepare() -> None:
    """In the master, before the first fork."""
    settle()
    for name in _MODULES:
        import_module(name)
    # The collector writes to what it looks at, and would copy the page: what is there by now stays for good.
    gc.collect()
    gc.freeze()
    # `give_back` collects every few seconds; between two of them a review is not to pay for it.
    gc.set_threshold(_COLLECTED_AFTER)


def give_back() -> None:
    """What big reviews and closed connections have left goes back to the kernel; takes a millisecond or two.

    Closed connections are cycles of references, which the collector would find only after very many of them.
    """
    gc.collect()
    trim()


def keep() -> None:
    """What is there by now is kept from the collector until the next call: much, long-lived, and no garbage.

    Otherwise it looks at all of it again whenever something large was built beside it, and every thread waits.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def trim() -> None:
    """What was let go in between goes back, too; a few milliseconds, in which other threads go on."""
    _malloc("malloc_trim", 0)


def _malloc(name: str, *values: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*values)


def uncollected(work: Callable[[], _Result]) -> _Result:
    """What `work` gives, the collector off meanwhile: it would look at all of a big object, again and again.

    The first of two threads to end turns it on for both, so that it is never off for long.
    """
    gc.disable()
    try:
        return work()
    finally:
        gc.enable()
