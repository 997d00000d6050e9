"""Owns what an expression in CEL reads of a device, and what it holds equal to a text. Must not evaluate.

What is no CEL reads nothing: the API server refuses it by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from reconciler.embedded import cel
from reconciler.embedded.cel import Tokens

_DEVICE: Final = ("name", "device")
_EQUALS: Final = ("sign", "==")
_OPTIONAL: Final = ("sign", "?")
_TEXT: Final = "text"
_LONGER: Final = frozenset({("sign", sign) for sign in ".+[("})


@dataclass(frozen=True, slots=True)
class Access:
    """`device.attributes[domain].name` (or `capacity`) at tokens `start` to before `end`."""

    what: Literal["attributes", "capacity"]
    domain: str
    name: str
    start: int
    end: int
    guarded: bool = False


@lru_cache(maxsize=256)
def tokens(expression: str) -> Tokens:
    """The tokens of an expression; none of what is no CEL."""
    return cel.tokens(expression) or ()


def accesses(found: Tokens) -> Iterator[Access]:
    """What an expression reads of a device, in order. Guarded: within `has(…)`, or optional (`.?`, `[?`)."""
    depth: list[bool] = []  # for each open parenthesis, whether it is one of has()
    for index, token in enumerate(found):
        if token == ("sign", "("):
            depth.append(index > 0 and found[index - 1] == ("name", "has"))
        elif token == ("sign", ")") and depth:
            depth.pop()
        elif token == _DEVICE and (index == 0 or found[index - 1][1] not in {".", "?"}):
            access = _access(found, index, guarded=bool(depth) and depth[-1])
            if access is not None:
                yield access


def _access(found: Tokens, index: int, *, guarded: bool) -> Access | None:
    what, end, first = _step(found, index + 1)
    domain, end, second = _step(found, end)
    name, end, third = _step(found, end)
    if not name or found[end : end + 1] == (("sign", "("),):
        return None
    optional = guarded or first or second or third
    if what == "attributes":
        return Access("attributes", domain, name, index, end, optional)
    return Access("capacity", domain, name, index, end, optional) if what == "capacity" else None


def _step(found: Tokens, at: int) -> tuple[str, int, bool]:
    """One step of a path, `.name` or `["name"]`: its name, where it ends, whether it is optional; no name for none."""
    optional = found[at + 1 : at + 2] == (_OPTIONAL,)
    first, ahead = found[at : at + 1], found[at + 1 + optional : at + 3 + optional]
    if first == (("sign", "."),) and ahead and ahead[0][0] == "name":
        return ahead[0][1], at + 2 + optional, optional
    if first == (("sign", "["),) and len(ahead) == 2 and ahead[0][0] == _TEXT and ahead[1] == ("sign", "]"):
        return ahead[0][1], at + 3 + optional, optional
    return "", at, False


def compared(found: Tokens, start: int, end: int) -> str | None:
    """The literal that tokens `start` to before `end` are held equal to, on either side; None for anything else."""
    if found[end : end + 1] == (_EQUALS,) and len(found) > end + 1 and found[end + 1][0] == _TEXT:
        return None if _goes_on(found, end + 2) else found[end + 1][1]
    if start >= 2 and found[start - 1] == _EQUALS and found[start - 2][0] == _TEXT:
        joined = start >= 3 and found[start - 3] == ("sign", "+")
        return None if joined or _goes_on(found, end) else found[start - 2][1]
    return None


def _goes_on(found: Tokens, at: int) -> bool:
    """Whether what stands before `at` is only the begin of a longer term: `"a" + …`, `"a".lowerAscii()`."""
    return at < len(found) and found[at] in _LONGER


def drivers(expression: str) -> frozenset[str]:
    """The drivers that `device.driver` is held equal to."""
    found = tokens(expression)
    tested = (
        compared(found, index, index + 3)
        for index, token in enumerate(found)
        if token == _DEVICE and _step(found, index + 1)[:2] == ("driver", index + 3)
    )
    return frozenset(driver for driver in tested if driver is not None)
