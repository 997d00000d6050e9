"""Owns which kind of the cluster is meant by a name such as `deploy` or `certificate.cert-manager.io`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from reconciler.errors import UsageError
from reconciler.model.ref import KindInfo
from setscrew.cli.drift_named import Target

_VERSION: Final = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STAGES: Final = {"alpha": 0, "beta": 1, None: 2}


def kind_of(kinds: Iterable[KindInfo], target: Target) -> KindInfo:
    """The kind as the API server serves it, in its best version. Raises UsageError for none, or for several."""
    found = [
        one
        for one in kinds
        if target.kind == one.resource or target.is_of({"kind": one.kind, "name": target.name, "group": one.group})
    ]
    groups = sorted({one.group for one in found if target.group in ("", one.group)})
    if not groups:
        raise UsageError(f"the cluster serves no kind {target.kind}", hint="see kubectl api-resources")
    # As kubectl: the groups of Kubernetes itself go first.
    group = min(groups, key=lambda one: ("." in one and not one.endswith(".k8s.io"), one))
    return max((one for one in found if one.group == group), key=_rank)


def _rank(kind: KindInfo) -> tuple[int, int, int]:
    match = _VERSION.fullmatch(kind.version)
    return (_STAGES[match[2]], int(match[1]), int(match[3] or 0)) if match else (-1, 0, 0)
