"""Owns which versions may follow each other: of Setscrew, of the API server, of our definitions. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

# From here on client certificates carry the id of a credential, by which nodes are told from whoever takes their names
# on; before, the policy of our own objects would refuse nodes what they do.
OLDEST_KUBERNETES: Final = (1, 32)
# README's table says what was run with each (`make compat`).
TESTED_KUBERNETES: Final = ((1, 36), (1, 35), (1, 34))
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


def minor(version: str) -> tuple[int, int] | None:
    """(1, 36) of `v1.36.3+k3s1`; None where it is no version."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else None


def tested() -> str:
    """`tested are 1.36, 1.35, 1.34`."""
    return f"tested are {', '.join(f'{major}.{minor}' for major, minor in TESTED_KUBERNETES)}"


def skew(installed: str, wanted: str) -> str:
    """Why `wanted` may not follow `installed` in one step, "" if it may: a minor version up or down at most."""
    before, after = minor(installed), minor(wanted)
    if before is None or after is None:
        return ""
    if before[0] != after[0] or abs(before[1] - after[1]) > 1:
        return f"{installed} is installed, and {wanted} is more than one minor version away"
    return ""


def older(version: str, installed: str) -> bool:
    """Whether `version` is an older minor version than `installed`: then one goes back."""
    ours, theirs = minor(version), minor(installed)
    return ours is not None and theirs is not None and ours < theirs


def definition_problems(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What of a CustomResourceDefinition may not change as `wanted` says, each in a clause."""
    before, after = live.get("spec") or {}, wanted["spec"]
    for field in ("scope", "group"):
        if field in before and before[field] != after.get(field):
            yield f"its {field} would change from {before[field]} to {after.get(field)}, which no API server takes"
    versions = {str(one["name"]) for one in after.get("versions") or ()}
    stored = (live.get("status") or {}).get("storedVersions") or ()
    for lost in sorted(set(stored) - versions):
        yield f"objects are stored as {lost}, which the new definition does not have"
    served = {str(one["name"]) for one in before.get("versions") or () if one.get("served")}
    still = {str(one["name"]) for one in after.get("versions") or () if one.get("served")}
    for lost in sorted(served - still):
        yield f"{lost} is served now, and would not be any more: replicas of the version before still ask for it"
