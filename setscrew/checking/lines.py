"""Owns the lines of findings: where in its file the value stands that is wrong. Must not judge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from reconciler.errors import RenderError
from reconciler.render import parsing
from reconciler.render.process import workspace
from reconciler.render.value_lines import Wanted
from setscrew.checking.judging import Fault


def lines_of(faults: Sequence[Fault]) -> list[int]:
    """The line of each fault: of its value where that stands in the file as it is, else of its object, else 1."""
    lines = [max(fault.declared.line, 1) for fault in faults]
    wanted: dict[Path, list[tuple[int, Wanted]]] = defaultdict(list)
    for number, fault in enumerate(faults):
        if fault.declared.is_plain and fault.path:
            wanted[fault.declared.file].append((number, Wanted(fault.declared.line, fault.path, fault.inside)))
    if not wanted:
        return lines
    try:
        with workspace() as home:
            values = {file: [one for _, one in some] for file, some in wanted.items()}
            found = parsing.value_lines(home, values)
    except RenderError:
        return lines  # so large that nobody has the time: the object's line will do
    for some, rows in zip(wanted.values(), found, strict=True):
        for (number, _), line in zip(some, rows, strict=True):
            lines[number] = line or lines[number]
    return lines
