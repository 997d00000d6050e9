"""Writes into two pages what the cases of tests/cases/compare say: `python tools/generate_class_table.py`.

In docs/canonical-form.md two kinds of comments are filled in, each up to the next `<!-- end -->`: `<!-- classes A B -->`
by a table of these classes, `<!-- case NAME: TITLE -->` by one case. docs/reference/comparison-cases.md is written as a
whole. A class's `example` is two pieces of text that stand in one of its cases; an empty `live` means that the field of
`git` does not stand there. tests/unit/compare/test_cases.py fails while pages and cases differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
CASES: Final = ROOT / "tests" / "cases" / "compare"
RULES_PAGE: Final = ROOT / "docs" / "canonical-form.md"
CASES_PAGE: Final = ROOT / "docs" / "reference" / "comparison-cases.md"
_BLOCK: Final = re.compile(r"(<!-- (classes|case) (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_CASES_HEAD: Final = """\
# Cases of the comparison

Written by `tools/generate_class_table.py` from `tests/cases/compare/`; do not edit. Each row is a test; what its class
means stands in [canonical form](../canonical-form.md). Engine: `offline` needs no cluster, `server` asks one, `render`
happens before anything is compared.

| class | case | engine | verdict |
| --- | --- | --- | --- |
"""
_ELSEWHERE: Final = {"server": "the server engine's", "render": "settled before"}
Class = Mapping[str, Any]


@cache
def classes() -> dict[str, tuple[str, Class]]:
    """Class id → name and content of its file, in the order of the files."""
    found = {}
    for file in sorted(CASES.glob("*.yaml"), key=_natural):
        content = yaml.load(file.read_text("utf-8"), yaml.CSafeLoader)
        found[content["class"]] = (file.stem, content)
    return found


def rules_page() -> str:
    """The page of rules with its generated blocks filled in."""
    return _BLOCK.sub(_filled, RULES_PAGE.read_text("utf-8"))


def documented() -> list[str]:
    """The classes that the page of rules shows, in its order."""
    blocks = re.findall(r"<!-- classes (.+?) -->", RULES_PAGE.read_text("utf-8"))
    return [name for block in blocks for name in block.split()]


def cases_page() -> str:
    """The whole page of cases."""
    return _CASES_HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows())


def _natural(file: Path) -> tuple[str, int]:
    letters, number = re.match(r"([a-z]+)(\d+)", file.stem).groups()  # type: ignore[union-attr] # each file is named so
    return letters, int(number)


def _filled(block: re.Match[str]) -> str:
    opening, kind, argument, end = block.groups()
    content = _table(argument.split()) if kind == "classes" else _case(*argument.split(": ", 1))
    return f"{opening}\n{content}\n{end}"


def _table(names: list[str]) -> str:
    rows = ["| class | rule | Git | live | verdict |", "| --- | --- | --- | --- | --- |"]
    for name in names:
        _, content = classes()[name]
        shown = " | ".join(_example(name, content))
        rows.append(f"| **{name}** {content['title']} | {content['rule']} | {shown} |")
    return "\n".join(rows) + "\n"


def _example(name: str, content: Class) -> tuple[str, str, str]:
    """Both sides and the verdict of the class's example, which must stand so in one of its cases."""
    example = content.get("example")
    if example is None:
        return "", "", _ELSEWHERE[content["engine"]]
    git, live = example["git"], example["live"]
    for case in content["cases"]:
        if git in case["desired"] and (live in case["live"] if live else git.partition(" ")[0] not in case["live"]):
            return _code(git), _code(live) if live else "nothing", _verdict(case)
    raise SystemExit(f"{name}: the example stands in none of its cases")


def _case(name: str, title: str) -> str:
    content = next(content for file, content in classes().values() if file == name)
    case = next(case for case in content["cases"] if case["title"] == title)
    changes = "".join(f"{one['class']} {one['path']}\n" for one in case.get("changes", ()))
    return f"```yaml\n{case['desired']}```\n\n```\n{case['verdict']}\n{changes}```\n"


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for name, (_, content) in classes().items():
        for case in content.get("cases", ()):
            yield name, case["title"], "offline", _verdict(case)
        for test in content.get("held_by", ()):
            yield name, f"`{test}`", content["engine"], "held there"


def _verdict(case: Class) -> str:
    return "refused" if "error" in case else str(case["verdict"])


def _code(text: str) -> str:
    return f"`{text.strip()}`".replace("|", "\\|")


if __name__ == "__main__":
    RULES_PAGE.write_text(rules_page(), "utf-8")
    CASES_PAGE.write_text(cases_page(), "utf-8")
