"""Owns who owns what of the registration, as managedFields say it. Pure. Must not decide what is wanted.

Each entry whose name ends in ENTRY_SUFFIX is ours as a whole, whoever wrote a part of it, but for the choices of the
admin (CHOICES). What others own in it would survive a server-side apply that leaves it out, an added condition as well
as an entry that we take away; so would all that earlier versions wrote by PUT. `taken_over` hands it to our manager.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reconciler.model.own import ENTRY_SUFFIX, OFF

MANAGER: Final = "setscrew"
# What an admin may set for an entry, and keeps: whether a call that fails passes, and how long one may take.
CHOICES: Final = ("failurePolicy", "timeoutSeconds")

_SELF: Final = "."
Fields = dict[str, Any]


def is_ours(name: str) -> bool:
    """True for the name of an entry that Setscrew writes."""
    return name.endswith(ENTRY_SUFFIX)


def choosers(live: Mapping[str, Any], entry: str, choice: str) -> list[str]:
    """Managers other than ours that have set this field of this entry."""
    place = _item(entry)
    return [
        str(one.get("manager"))
        for one in _managed(live)
        if one.get("manager") != MANAGER and f"f:{choice}" in _entries(one).get(place, {})
    ]


def writers(live: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(time, manager) of all others that own anything of our entries or of the off-switch; RFC 3339, newest first."""
    others = [one for one in _managed(live) if one.get("manager") != MANAGER and _ours_in(one, ())]
    yield from sorted(((str(one.get("time", "")), str(one.get("manager"))) for one in others), reverse=True)


def taken_over(live: Mapping[str, Any], wanted: Iterable[str]) -> list[dict[str, Any]] | None:
    """The managedFields of `live` after our manager has taken what is ours; None where it has all of it already.

    `wanted` are the names of entries that stay: in these the choices of others remain theirs.
    """
    kept = {_item(name) for name in wanted}
    mine: Fields = {}
    others, moved = [], False
    for one in _managed(live):
        if (one.get("manager"), one.get("operation")) == (MANAGER, "Apply"):
            mine = _united(mine, one.get("fieldsV1", {}))
            continue
        taken = one.get("fieldsV1", {}) if one.get("manager") == MANAGER else _ours_in(one, kept)
        moved |= bool(taken)
        mine = _united(mine, taken)
        if rest := _without(one.get("fieldsV1", {}), taken):
            others.append({**one, "fieldsV1": rest})
    if not moved:
        return None
    version = str(live.get("apiVersion", "admissionregistration.k8s.io/v1"))
    own = {"manager": MANAGER, "operation": "Apply", "apiVersion": version, "fieldsType": "FieldsV1", "fieldsV1": mine}
    return [own, *others]


def _managed(live: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(live["metadata"].get("managedFields") or [])


def _item(entry: str) -> str:
    return "k:" + json.dumps({"name": entry}, separators=(",", ":"))


def _entries(managed: Mapping[str, Any]) -> Fields:
    found: Fields = managed.get("fieldsV1", {}).get("f:webhooks", {})
    return found


def _ours_in(managed: Mapping[str, Any], kept: Iterable[str]) -> Fields:
    """The part of somebody else's fields that is ours."""
    found: Fields = {}
    for key, fields in _entries(managed).items():
        if key.startswith("k:") and is_ours(str(json.loads(key[2:]).get("name", ""))):
            # `kept` without a choice of its own: nothing else may hold an entry, nor its name, in its place.
            part = {name: one for name, one in fields.items() if key not in kept or name[2:] not in CHOICES}
            if part:
                found.setdefault("f:webhooks", {})[key] = part
    off = managed.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {})
    if f"f:{OFF}" in off:
        found["f:metadata"] = {"f:annotations": {f"f:{OFF}": {}}}
    return found


def _united(one: Fields, other: Fields) -> Fields:
    return {**one, **{name: _united(one.get(name, {}), fields) for name, fields in other.items()}}


def _without(fields: Fields, taken: Fields) -> Fields:
    """`fields` less the leaves of `taken`; a branch with nothing left in it goes too."""
    rest: Fields = {}
    for name, below in fields.items():
        if name not in taken:
            rest[name] = below
        elif taken[name] and (left := _without(below, taken[name])) and left != {_SELF: {}}:
            rest[name] = left
    return rest
