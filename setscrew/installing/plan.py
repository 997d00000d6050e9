"""Owns what an upgrade does between two versions: rights of both while both run, and what is dropped after. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.model.ref import ObjectRef
from setscrew.installing.inventory import Inventory
from setscrew.installing.objects import Document

_ROLES: Final = frozenset({"ClusterRole", "Role"})
# Removing one of these removes what people have written, so no upgrade does.
KEPT: Final = frozenset({("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")})


def bridged(live: Mapping[str, Any] | None, wanted: Document) -> Document:
    """`wanted` with the rules that the role has now: replicas of the version before still run with them."""
    if live is None or wanted["kind"] not in _ROLES or wanted.get("aggregationRule"):
        return wanted
    lost = [rule for rule in live.get("rules") or () if rule not in (wanted.get("rules") or ())]
    if not lost:
        return wanted
    return {**copy.deepcopy(wanted), "rules": [*(wanted.get("rules") or ()), *lost]}


def dropped(before: Inventory, wanted: Iterable[ObjectRef]) -> list[ObjectRef]:
    """What was installed and is not wanted any more, but for kinds that no upgrade removes."""
    return sorted(ref for ref in before.objects - set(wanted) if (ref.group, ref.kind) not in KEPT)
