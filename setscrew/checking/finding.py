"""Owns what a check says: one thing that is wrong, where, and what to do. Must not know what finds it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import SetscrewError
from reconciler.gpu.problem import Severity

_PLACE: Final = re.compile(r"(?P<file>.+?):(?P<line>\d+)(?::.*)?")
_FIXES: Final = {
    "SS3001": "mend this line",
    "SS3007": "write apiVersion, kind and metadata.name, or keep what is no manifest elsewhere",
    "SS3011": "mend the chart, or give what it asks for: --values, --namespace, or spec.render of a GitSource",
}
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` is an id of docs/reference: `MIG-04`, `SS3001`. `line` counts from 1, `object` may be "" (a file's)."""

    rule: str
    severity: Severity
    file: str
    line: int
    object: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Shown:
    """How files are called: as the caller has called `path`."""

    path: Path

    def name(self, file: Path) -> str:
        """`file`, absolute, relative to where the caller is if he has said it so."""
        if self.path.is_absolute():
            return str(file)
        return os.path.relpath(file)

    def error(
        self, error: SetscrewError, file: Path, root: Path | None = None, severity: Severity = "error"
    ) -> Finding:
        """An error as a finding in `file`, or in the file that it names (relative to `root`)."""
        place = _PLACE.fullmatch(error.where)
        named = place["file"] if place else error.where
        near = [place / named for place in (root, file.parent) if place is not None] if named else []
        found = next((one for one in near if one.is_file()), None)
        # What names no file names an object or field: that is part of what is said.
        message = error.message if found or not error.where else f"{error.where}: {error.message}"
        line = int(place["line"]) if place and found else 1
        name = self.name(found or file)
        fix = error.hint or _FIXES.get(error.code, "mend it in Git")
        return Finding(error.code, severity, name, max(line, 1), "", " ".join(message.split()), fix)
