"""Owns files of code owners: which rule is about a file, as GitHub or GitLab read it. Pure; the text is hostile.

GitHub: one list, the last rule that matches counts, and one without owners means nobody. GitLab: the same in each
section, whose default owners stand in its heading; `!` takes a file out of its section.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from reconciler.limits import CODEOWNERS_PATTERN_CHARS, CODEOWNERS_RULES, OWNER_CHARS
from reconciler.report.path_patterns import DEEP, PathPatterns, joined
from reconciler.report.printable import one_line

# Where each looks, in its order; the first that is there counts.
GITHUB: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
GITLAB: Final = ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
PLACES: Final = frozenset({*GITHUB, *GITLAB})
_HEADING: Final = re.compile(r"\^?\[([^\]]{1,200})\](?:\[\d{1,4}\])?((?:\s.*)?)")
# A token ends at a space that no backslash stands before.
_TOKEN: Final = re.compile(r"(?:\\.|[^\\\s])+")
_OWNERS: Final = 20


class Rule(NamedTuple):
    """`parts` are the pattern's names, DEEP for any number; `negated`: files of it have no owner in the section."""

    parts: tuple[str, ...]
    owners: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class CodeOwners:
    """The rules, section by section in their order, and their patterns. A file without sections is one."""

    rules: tuple[Rule, ...] = ()
    patterns: PathPatterns = field(default_factory=lambda: joined(()), repr=False)
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)

    def of(self, path: str) -> tuple[str, ...]:
        """Who owns the file at `path` (from the repository's root); () for nobody."""
        if path not in self._known:
            found = (name for place in self.patterns.last(path) for name in self.rules[place].owners)
            self._known[path] = tuple(dict.fromkeys(found))
        return self._known[path]


def chosen(paths: Sequence[str], host: str) -> str:
    """Which of the files that there are in a repository counts; "" for none."""
    places = GITLAB if "gitlab" in host or not set(paths) & set(GITHUB) else GITHUB
    return next((place for place in places if place in paths), "")


def parse_code_owners(text: str, path: str, host: str) -> CodeOwners:
    """The rules of the file at `path` in a repository of `host`; what is beyond the limits, or no rule, is left out."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    gitlab = "gitlab" in host or path.startswith(".gitlab/") or any(_HEADING.fullmatch(line) for line in lines)
    sections: dict[str, list[Rule]] = {"": []}
    section, default = "", tuple[str, ...]()
    for line in lines[:CODEOWNERS_RULES]:
        if gitlab and (heading := _HEADING.fullmatch(line)):
            section, default = heading[1].strip().lower(), tuple(_names(_TOKEN.findall(heading[2])))
            sections.setdefault(section, [])
        elif rule := _rule(line, default, gitlab=gitlab):
            sections[section].append(rule)
    found = tuple(rule for rules in sections.values() for rule in rules)
    return CodeOwners(found, joined((rule.parts for rule in rules) for rules in sections.values()))


def _rule(line: str, default: tuple[str, ...], *, gitlab: bool) -> Rule | None:
    pattern, *rest = _TOKEN.findall(line) or [""]
    negated = gitlab and pattern.startswith("!")
    pattern = re.sub(r"\\(.)", r"\1", pattern.removeprefix("!") if negated else pattern)
    # What was not UTF-8 fits no path, and would be three times as long here.
    if not pattern or "\ufffd" in pattern or len(pattern) > CODEOWNERS_PATTERN_CHARS:
        return None
    if pattern[0] == "!" and not gitlab:
        return None
    owners = tuple(_names(rest))
    return Rule(_parts(pattern, gitlab=gitlab), () if negated else owners or default, negated)


def _parts(pattern: str, *, gitlab: bool) -> tuple[str, ...]:
    """The names of a pattern from the root on: one without a leading slash may begin anywhere."""
    anchored = pattern.startswith("/") or (not gitlab and "/" in pattern.rstrip("/"))
    names = [name for name in pattern.split("/") if name]
    # A directory is all that is in it; `/*` at the end is the files of one directory alone.
    deep = pattern.endswith("/") or not (names and (names[-1] == "*" and len(names) > 1))
    return tuple(([] if anchored else [DEEP]) + names + ([DEEP] if deep and names[-1:] != [DEEP] else []))


def _names(tokens: Sequence[str]) -> Iterator[str]:
    """Owners as they are written, up to a remark: `@user`, `@group/team`, `@@role`, an address."""
    for token in tokens[:_OWNERS]:
        if token.startswith("#"):
            return
        if "@" in token:
            yield one_line(token)[:OWNER_CHARS]
