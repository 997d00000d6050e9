"""Owns values that Kubernetes compares by meaning, not by spelling: quantities, durations. Must not guess their places.

Grammar: k8s.io/apimachinery pkg/api/resource (quantity), Go time.ParseDuration (duration).
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from reconciler.model.tree import Tree, is_number

_QUANTITY: Final = re.compile(r"^([+-]?(?:\d+(?:\.\d*)?|\.\d+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,3})?$")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {suffix: 1024**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


def quantity(value: Tree) -> Decimal | None:
    """The value of a resource quantity ("500m", "1Gi", 2), or None if it is none."""
    if is_number(value):
        return Decimal(str(value))
    match = _QUANTITY.match(value) if isinstance(value, str) and len(value) <= 64 else None
    if match is None:
        return None
    number, suffix = match.group(1), match.group(2) or ""
    try:
        if suffix in _BINARY:
            return Decimal(number) * Decimal(_BINARY[suffix])
        exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
        return Decimal(number).scaleb(exponent)
    except InvalidOperation:
        return None


def nanoseconds(value: Tree) -> Decimal | None:
    """The length of a Go duration ("1h30m", "0"), in nanoseconds, or None if it is none."""
    if not isinstance(value, str) or not value or len(value) > 64:
        return None
    sign = -1 if value.startswith("-") else 1
    rest = value.lstrip("+-") if value[0] in "+-" else value
    if rest == "0":
        return Decimal(0)
    total, end = Decimal(0), 0
    for match in _DURATION.finditer(rest):
        if match.start() != end:
            return None
        total += Decimal(match.group(1)) * _UNITS[match.group(2)]
        end = match.end()
    return sign * total if end == len(rest) and end else None
