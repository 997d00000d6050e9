"""Owns numbers of queues, and how amounts are shown to people. Must not know any kind, nor which amounts are right."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from reconciler.gpu.tolerant import amount
from reconciler.model.tree import Tree, is_number

# Digits of an amount that people still read; whoever writes more gets it in scientific notation.
_READABLE_DIGITS: Final = 18
_BINARY: Final = {"Ti": 1024**4, "Gi": 1024**3, "Mi": 1024**2}


def number(value: Tree) -> Decimal | None:
    """The value of a plain JSON number; None for a text, too."""
    return amount(value) if is_number(value) else None


def shown(value: Decimal, resource: str = "") -> str:
    """`8`, `0.5`; `64Gi` for a resource that is counted in bytes."""
    if abs(value.adjusted()) > _READABLE_DIGITS:
        return f"{value:.3e}"
    if resource in {"memory", "ephemeral-storage"} or resource.endswith(("storage", "-memory", ".memory")):
        for suffix, size in _BINARY.items():
            if value >= size and value % size == 0:
                return f"{_plain(value / size)}{suffix}"
    return _plain(value)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
