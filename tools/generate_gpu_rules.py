"""Writes docs/reference/gpu-rules.md, all rules about GPU classes: `python tools/generate_gpu_rules.py`.

Titles are those of the rules themselves; a severity is one that a case of tests/cases/gpu/rules shows.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from reconciler.gpu.rules import RULES
from tests.support.gpu_cases import CASES, found

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "gpu-rules.md"
_HEAD: Final = """\
# Rules about GPU classes

Written by `tools/generate_gpu_rules.py` from the rules and their cases in `tests/cases/gpu/rules`; do not edit.

`setscrew check` [names what breaks them](../how-to/check-before-you-push.md) before a push. An **error** keeps a revision
from being enforced: the source says `Held`, and its last good revision stays. A **warning** stands in the report under
`summary.problems`. Rules with both tell in their messages which it is.
"""
_FAMILIES: Final = {
    "MIG": "MIG layouts",
    "SHR": "Shared GPUs",
    "DRA": "Dynamic resource allocation",
    "Q": "Queues",
    "QTA": "Quotas",
    "CP": "The NVIDIA GPU operator",
    "AMD": "AMD GPUs",
}


def severities() -> dict[str, set[str]]:
    """What severities the cases that break a rule show."""
    shown: dict[str, set[str]] = {rule: set() for rule in RULES}
    for file in CASES.glob("*.fail*.yaml"):
        for problem in found(file):
            shown[problem.rule].add(problem.severity)
    return shown


def page() -> str:
    """The whole page."""
    shown = severities()
    parts = [_HEAD]
    families = sorted({_family(rule) for rule in RULES}, key=_order)
    for family in families:
        rows = [
            f"| {rule} | {', '.join(sorted(shown[rule]))} | {_title(rule)} |"
            for rule in sorted(RULES, key=_natural)
            if _family(rule) == family
        ]
        title = _FAMILIES.get(family, family)
        parts.append("\n".join([f"\n## {title}\n", "| rule | severity | what it asks for |", "| --- | --- | --- |", *rows, ""]))
    return "".join(parts)


def _title(rule: str) -> str:
    return f"{RULES[rule][:1].upper()}{RULES[rule][1:]}."


def _family(rule: str) -> str:
    return rule.partition("-")[0]


def _order(family: str) -> tuple[int, str]:
    known = list(_FAMILIES)
    return (known.index(family) if family in known else len(known), family)


def _natural(rule: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", rule)]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
