"""Owns the meaning of a MIG layout file (NVIDIA mig-parted): names, entries run in sequence, counts by profile.

Must not judge layouts: `reconciler.gpu.mig` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Final

from reconciler.embedded.format import EMPTY_MATTERS, SET, Format, as_list, changed, each, nulls_said, struct
from reconciler.model.tree import Tree
from reconciler.schema.semantics import Semantics

_HEX: Final = re.compile(r"0[xX]([0-9a-fA-F]{1,16})", re.ASCII)
# Filters that are none: the entry is for every model.
_NO_FILTER: Final[tuple[Tree, ...]] = (None, "", [])


def _recognises(tree: Tree) -> bool:
    return isinstance(tree, dict) and isinstance(tree.get("mig-configs"), dict)


def _normal(tree: Tree) -> Tree:
    """A field too many, were it null, makes mig-parted refuse the whole document."""
    return nulls_said(changed(tree, "mig-configs", partial(by_name, entry=_entry)))


def by_name(layouts: Tree, entry: Callable[[Tree], Tree]) -> Tree:
    """Lists of entries by the name of their layout, with `entry` made of each."""
    if not isinstance(layouts, dict):
        return layouts
    return {
        name: [entry(one) for one in entries] if isinstance(entries, list) else entries
        for name, entries in layouts.items()
    }


def _entry(entry: Tree) -> Tree:
    if not isinstance(entry, dict):
        return entry
    if entry.get("device-filter") in _NO_FILTER:
        entry = {key: value for key, value in entry.items() if key != "device-filter"}
    entry = changed(changed(entry, "device-filter", filters), "mig-devices", counts)
    entry = changed(entry, "mig-enabled", lambda value: False if value is None else value)
    if entry.get("mig-enabled") is False and entry.get("mig-devices", {}) in (None, {}):
        entry = {key: value for key, value in entry.items() if key != "mig-devices"}
    return entry


def filters(value: Tree) -> Tree:
    """A device-filter as a list of numbers in one spelling."""
    value = as_list(value)
    return [_filter(one) for one in value] if isinstance(value, list) else value


def _filter(value: Tree) -> Tree:
    """A PCI id is a number, however its text spells it. What has no quotes is no text, and refused."""
    match = _HEX.fullmatch(value) if isinstance(value, str) else None
    return value if match is None else f"0x{int(match[1], 16):08X}"


def counts(by_profile: Tree) -> Tree:
    """Without those of zero, unless there is no other: then the document is refused."""
    if not isinstance(by_profile, dict):
        return by_profile
    some = {profile: count for profile, count in by_profile.items() if count is False or count not in (0, None)}
    return some or by_profile


_ENTRY: Final = struct(device_filter=SET, devices=SET)
MIG_PARTED: Final = Format(
    name="mig-parted",
    title="a MIG layout file",
    words=("mig-configs",),
    recognises=_recognises,
    normal=_normal,
    types=struct(mig_configs=each(each(_ENTRY))),
    semantics=Semantics((EMPTY_MATTERS,)),
    closed=True,
    rule="MIG-06",
)
