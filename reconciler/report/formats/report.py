"""Owns the report as formats take it: an envelope, and findings as JSON texts. Must not know any format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Report:
    """A DriftList without its items, and the items each as the JSON that is stored: what is only passed on is not read.

    `fields` cuts each finding down to these keys; formats that are no plain data show whole findings and ignore it.
    `version` is that of Setscrew.
    """

    head: Mapping[str, Any]
    texts: Sequence[str]
    fields: tuple[str, ...] = ()
    version: str = ""

    @classmethod
    def of(cls, report: Mapping[str, Any], version: str = "") -> Report:
        """A DriftList as it came over the wire."""
        head = {key: value for key, value in report.items() if key != "items"}
        return cls(head, [msgspec.json.encode(item).decode() for item in report["items"]], version=version)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """When it was made, and how far to trust it."""
        found: Mapping[str, Any] = self.head.get("metadata", {})
        return found

    @property
    def summary(self) -> Mapping[str, Any]:
        """What holds of all findings together."""
        found: Mapping[str, Any] = self.head.get("summary", {})
        return found

    def items(self) -> Iterator[dict[str, Any]]:
        """Whole findings."""
        return map(msgspec.json.decode, self.texts)

    def shown(self) -> Iterator[dict[str, Any]]:
        """Findings cut down to `fields`."""
        if not self.fields:
            yield from self.items()
            return
        for item in self.items():
            yield {name: item[name] for name in self.fields if name in item}

    def shown_texts(self) -> Iterator[str]:
        """The same as JSON on one line each."""
        return (msgspec.json.encode(item).decode() for item in self.shown()) if self.fields else iter(self.texts)
