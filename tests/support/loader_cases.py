"""Owns reading tests/cases/loader: what kubectl made of values and of whole streams."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

CASES: Final = Path(__file__).parents[1] / "cases/loader"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Value:
    """A text that stands after `v: ` and what it means, `refused` where it cannot be read."""

    text: str
    value: Any
    refused: bool = False

    @property
    def document(self) -> bytes:
        """The line or lines of `v`."""
        return f"v: {self.text}".encode() + (b"" if self.text.endswith("\n") else b"\n")


@dataclass(frozen=True, slots=True)
class Stream:
    """A whole stream: the objects that kubectl reads (None: it refuses), and ours where they differ on purpose."""

    name: str
    text: str
    objects: list[Any] | None = None
    differs: str = ""
    ours: list[Any] | None = None

    @property
    def expected(self) -> list[Any] | None:
        """What our loader has to answer."""
        return self.ours if self.differs else self.objects


def values() -> list[Value]:
    """The scalars of one line, then the values of several."""
    found = []
    for row in (CASES / "scalars.txt").read_text("utf-8").split("\n"):
        text, arrow, value = row.rpartition(" => ")
        if arrow:
            refused = value == REFUSED
            found.append(Value(text, None if refused else json.loads(value), refused))
    blocks = yaml.safe_load((CASES / "blocks.yaml").read_text("utf-8"))
    return [*found, *(Value(block["text"], block.get("value"), "value" not in block) for block in blocks)]


def streams() -> list[Stream]:
    """The whole streams."""
    return [Stream(**case) for case in yaml.safe_load((CASES / "streams.yaml").read_text("utf-8"))]
