"""Owns the reading of mig-parted's document: layouts by name, each a list of entries. Must not know GPUs or nodes.

What mig-parted would refuse is MIG-06; what it silently ignores is MIG-07.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.gpu.finding import Finding
from reconciler.gpu.mig.name import parse_name
from reconciler.gpu.tolerant import shown
from reconciler.model.tree import Tree

CONFIGS: Final = "mig-configs"
_FIELDS: Final = ("device-filter", "devices", "mig-enabled", "mig-devices")
# As Go reads a number whose prefix says its base; without a prefix it is decimal.
_FILTER: Final = re.compile(
    r"(0[xX][0-9a-fA-F]{1,8}|[1-9][0-9]{0,9})(?::(0[xX][0-9a-fA-F]{1,8}|[1-9][0-9]{0,9}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Device and vendor of a GPU as one number, and of its board where the filter names one."""

    number: int
    board: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Which GPUs of a node one entry is for, and what each of them is cut into.

    `filters`: empty for every model. `devices`: indices on the node, None for all. `slices`: counts above 0 by profile,
    as written. `silent`: a filter could not be read, so the entry matches nothing by it.
    """

    index: int
    enabled: bool
    devices: frozenset[int] | None = None
    filters: tuple[Filter, ...] = ()
    slices: Mapping[str, int] = field(default_factory=dict)
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """Layouts with the entries that could be read, and what is wrong with the others."""

    layouts: Mapping[str, tuple[Entry, ...]]
    findings: tuple[Finding, ...] = ()


def read_document(tree: Tree) -> Document:
    """Never raises: what cannot be read is a finding."""
    if not isinstance(tree, dict):
        return Document({}, (_wrong((), "the document is no mapping", "write version: v1 and mig-configs"),))
    findings = [*_head(tree)]
    layouts = dict[str, tuple[Entry, ...]]()
    configs = tree.get(CONFIGS)
    for key, entries in configs.items() if isinstance(configs, dict) else ():
        name, found = str(key), list[Entry]()
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            reader = _EntryReader(entry)
            found.extend(reader.entry(index))
            findings += [one.below((CONFIGS, name, index), place(name, index)) for one in reader.findings]
        if not isinstance(entries, list) or not entries:
            findings.append(
                _wrong((CONFIGS, name), f"layout {shown(name)} is no list of entries", "give it at least one entry")
            )
        layouts[name] = tuple(found)
    return Document(layouts, tuple(findings))


def place(layout: str, index: int) -> str:
    """How messages name an entry."""
    return f"layout {shown(layout)}, entry {index}"


def _head(tree: dict[str, Tree]) -> Iterator[Finding]:
    version, configs = tree.get("version"), tree.get(CONFIGS)
    if version != "v1":
        yield _wrong(("version",), f"version is {_shown(version)}, not v1", "write version: v1")
    for key in tree:
        if key not in ("version", CONFIGS):
            yield _wrong(
                (str(key),), f"unknown field {_shown(key)}", "remove it: mig-parted refuses the whole document"
            )
    if not isinstance(configs, dict) or not configs:
        yield _wrong((CONFIGS,), "mig-configs holds no layout", "name at least one layout below mig-configs")


def _wrong(at: tuple[str | int, ...], message: str, fix: str, rule: str = "MIG-06") -> Finding:
    return Finding(rule, "error", at, message, fix)


def _shown(value: Any) -> str:
    return "absent" if value is None else repr(shown(value)) if isinstance(value, str) else type(value).__name__


class _EntryReader:
    """One entry; what is wrong with it gathers in `findings`, with paths from the entry on."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.findings = list[Finding]()

    def entry(self, index: int) -> Iterator[Entry]:
        """The entry, unless nothing can be said of it."""
        if not isinstance(self.tree, dict):
            self._wrong((), "it is no mapping", "write devices, mig-enabled and mig-devices")
            return
        for key in self.tree:
            if key not in _FIELDS:
                self._wrong((str(key),), f"unknown field {_shown(key)}", f"use one of {', '.join(_FIELDS)}")
        enabled, slices = self._enabled(), self._slices()
        if enabled and self.tree.get("mig-devices") is None:
            self._wrong((), "MIG is on but mig-devices is missing", "add mig-devices, {} for none")
        if enabled is False and slices:
            self._wrong(("mig-devices",), "slices are asked for while mig-enabled is false", "set mig-enabled: true")
        before = len(self.findings)
        filters, devices = self._filters(), self._devices()
        if enabled is not None:
            silent = any(one.rule == "MIG-07" for one in self.findings[before:])
            yield Entry(index, enabled, devices, filters, slices if enabled else {}, silent)

    def _enabled(self) -> bool | None:
        if "mig-enabled" not in self.tree:
            self._wrong((), "mig-enabled is missing", "say whether MIG is on: mig-enabled: true or false")
            return None
        value = self.tree["mig-enabled"]
        if not isinstance(value, bool | None):
            self._wrong(
                ("mig-enabled",), f"mig-enabled is {_shown(value)}, not true or false", "write it without quotes"
            )
            return None
        return bool(value)

    def _devices(self) -> frozenset[int] | None:
        value = self.tree.get("devices")
        if isinstance(value, list) and all(type(one) is int for one in value):
            return frozenset(value)
        if "devices" not in self.tree:
            self._wrong((), "devices is missing", "write devices: all, or a list of indices")
        elif value != "all":
            self._wrong(("devices",), f"devices is {_shown(value)}", "write all, or a list of indices such as [0, 1]")
        return None

    def _filters(self) -> tuple[Filter, ...]:
        value = self.tree.get("device-filter")
        texts = [value] if isinstance(value, str) and value else value or []
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            self._wrong(("device-filter",), "device-filter is no text", "quote it, as in '0x20B510DE'")
            return ()
        return tuple(found for at, text in enumerate(texts) if (found := self._filter(text, at, value)) is not None)

    def _filter(self, text: str, at: int, value: Tree) -> Filter | None:
        match = _FILTER.fullmatch(text)
        numbers = [int(part, 0) for part in match.groups() if part is not None] if match else []
        if not numbers or max(numbers) >= 1 << 32:
            path = ("device-filter", at) if isinstance(value, list) else ("device-filter",)
            message = f"device-filter {_shown(text)} is no PCI id: it matches no GPU, and applying it reports success"
            self._wrong(path, message, "write device and vendor in hexadecimal, as in '0x20B510DE'", "MIG-07")
            return None
        return Filter(*numbers)

    def _slices(self) -> dict[str, int]:
        value = self.tree.get("mig-devices")
        if value is None or not isinstance(value, dict):
            if value is not None:
                self._wrong(
                    ("mig-devices",), "mig-devices is no mapping", "write counts by profile, as in '1g.10gb': 7"
                )
            return {}
        counts = {str(key): self._count(str(key), count) for key, count in value.items()}
        if counts and not any(counts.values()) and all(count == 0 for count in counts.values()):
            self._wrong(("mig-devices",), "all counts are 0", "give one profile a count, or write {} for no slices")
        for name in counts:
            if parse_name(name) is None:
                fix = "write it as 1g.10gb, 1c.3g.40gb or 1g.10gb+me"
                self._wrong(("mig-devices", name), f"{_shown(name)} is no name of a MIG profile", fix, "MIG-01")
        return {name: count for name, count in counts.items() if count}

    def _count(self, name: str, count: Tree) -> int | None:
        count = 0 if count is None else count
        whole = type(count) is int or (isinstance(count, float) and count.is_integer())
        if not whole or count < 0:
            what = count if whole else _shown(count)
            self._wrong(
                ("mig-devices", name), f"the count of {_shown(name)} is {what}", "write a whole number, 0 or more"
            )
            return None
        return int(count)

    def _wrong(self, at: tuple[str | int, ...], message: str, fix: str, rule: str = "MIG-06") -> None:
        self.findings.append(_wrong(at, message, fix, rule))
