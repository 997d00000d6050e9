"""Owns the memory of what was made of immutable values: found by identity, few of them kept. Must not know any value.

Rules and masks are read once and asked about in every decision; what is compiled of them need not be compiled each
time. To hash them, as `functools.lru_cache` does, would cost more than to compile them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_Thing = TypeVar("_Thing")
_Made = TypeVar("_Made")


def kept(most: int) -> Callable[[Callable[[_Thing], _Made]], Callable[[_Thing], _Made]]:
    """Decorates a pure function of one immutable value; the answers for the last `most` values, or fewer, are kept."""

    def decorate(make: Callable[[_Thing], _Made]) -> Callable[[_Thing], _Made]:
        # A value is held as long as its answer is, so that no other one can have its identity.
        answers: dict[int, tuple[_Thing, _Made]] = {}

        def found(thing: _Thing) -> _Made:
            answer = answers.get(id(thing))
            if answer is None:
                if len(answers) >= most:
                    answers.clear()
                answer = answers[id(thing)] = thing, make(thing)
            return answer[1]

        return found

    return decorate
