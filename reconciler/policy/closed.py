"""Owns which parts of an object stay closed to additions whatever its policy leaves open. Must not compare."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from reconciler.model.kept import kept
from reconciler.policy.model import GpuClass, Rules
from reconciler.policy.select import any_kind

_RULES_KEPT: Final = 4
_KINDS_KEPT: Final = 256


def closed_paths(rules: Rules, group: str, kind: str) -> tuple[str, ...]:
    """Pointers below which an undeclared value is drift also under `undeclared: Allow`."""
    return _of(rules.gpu_classes)(group, kind)


@kept(_RULES_KEPT)
def _of(classes: tuple[GpuClass, ...]) -> Callable[[str, str], tuple[str, ...]]:
    def of_kind(group: str, kind: str) -> tuple[str, ...]:
        return tuple(path for one in classes if any_kind(one.kinds, group, kind) for path in one.closed)

    return lru_cache(_KINDS_KEPT)(of_kind)
