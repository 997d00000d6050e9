"""Owns how a change of files reads as a patch that `git apply` takes. Pure; must not know what is in the files."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_CONTEXT: Final = 3
_NO_END: Final = "\\ No newline at end of file"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file before and after; None: it is not there. `mode` is that of the file, as six digits."""

    old: str | None
    new: str | None
    mode: str = "100644"


def unified(changes: Mapping[str, FileChange]) -> str:
    """The patch, files in the order of their names."""
    return "".join(line for name in sorted(changes) for line in _file(name, changes[name]))


def shown_lines(change: FileChange) -> set[int]:
    """The lines (from 1) of the old file that the patch shows, changed or around a change."""
    return {line for start, stop, _, _ in _spans(change) for line in range(start + 1, stop + 1)}


def touches(change: FileChange, lines: Container[int]) -> bool:
    """Whether the patch shows any of these lines of the old file."""
    return any(line in lines for line in shown_lines(change))


def _spans(change: FileChange) -> Iterator[tuple[int, int, int, int]]:
    matcher = difflib.SequenceMatcher(None, _lines(change.old), _lines(change.new), autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        yield group[0][1], group[-1][2], group[0][3], group[-1][4]


def _file(name: str, change: FileChange) -> Iterator[str]:
    old, new = (_quoted(f"{side}/{name}") for side in "ab")
    yield f"diff --git {old} {new}\n"
    if change.old is None:
        yield f"new file mode {change.mode}\n"
    if change.new is None:
        yield f"deleted file mode {change.mode}\n"
    heads = ("/dev/null" if change.old is None else old, "/dev/null" if change.new is None else new)
    # git ends a name that holds a blank with a tab, so that it knows where the name ends.
    yield from (
        f"{sign} {head}{chr(9) if ' ' in head else ''}\n" for sign, head in zip(("---", "+++"), heads, strict=True)
    )
    found = difflib.unified_diff(_lines(change.old), _lines(change.new), n=_CONTEXT, lineterm="\n")
    for number, line in enumerate(found):
        if number > 1:
            yield line if line.endswith("\n") else f"{line}\n{_NO_END}\n"


def _lines(text: str | None) -> list[str]:
    """Lines as git counts them, with their ends."""
    rows = (text or "").split("\n")
    return [*(f"{row}\n" for row in rows[:-1]), *([rows[-1]] if rows[-1] else [])]


def _quoted(name: str) -> str:
    """A name as git writes it: with signs that a patch cannot hold in C's spelling."""
    if name.isprintable() and '"' not in name and "\\" not in name:
        return name
    spelled = "".join(
        chr(one) if 32 <= one < 127 and chr(one) not in '"\\' else f"\\{one:03o}" for one in name.encode()
    )
    return f'"{spelled}"'
