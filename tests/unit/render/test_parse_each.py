"""Files that are read one by one: what is wrong with one hides nothing of the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.render import parsing, process
from reconciler.render.parsing import Input, parse_each

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def outcome(home: Path, **texts: str) -> tuple[list[str], list[str]]:
    """Names of the objects that were read, and what was wrong."""
    inputs = []
    for name, text in texts.items():
        (home / name).write_text(text)
        inputs.append(Input(home / name, f"{name}.yaml"))
    lines = list(parse_each(home, inputs))
    failed = [f"{line['failed'].where} {line['failed'].code}" for line in lines if "failed" in line]
    return [line["tree"]["metadata"]["name"] for line in lines if "tree" in line], failed


def test_a_broken_file_keeps_its_documents_before_the_fault_and_all_other_files(tmp_path: Path) -> None:
    broken = f"{CONFIG % 'one'}---\na: [1\n"
    assert outcome(tmp_path, a=broken, b=CONFIG % "two", c="x: {", d=CONFIG % "three") == (
        ["one", "two", "three"],
        ["a.yaml:6 SS3001", "c.yaml:2 SS3001"],
    )


def test_an_object_that_is_too_large_is_one_of_them(tmp_path: Path) -> None:
    large = CONFIG % "large" + "data: {a: " + "x" * (limits.OBJECT_BYTES + limits.KIB) + "}\n"
    assert outcome(tmp_path, a=large, b=CONFIG % "two") == (["two"], ["a.yaml:1 SS3024"])


def test_a_file_that_kills_the_child_is_found_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = process.run

    def deadly(*argv: object, stdin: bytes, **more: object) -> object:
        if b'"c.yaml"' in stdin:
            raise RenderError("yaml-parser died of SIGSEGV", code="SS3003")
        return run(*argv, stdin=stdin, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(parsing.process, "run", deadly)
    texts = {name: CONFIG % name for name in "abcde"}
    assert outcome(tmp_path, **texts) == (["a", "b", "d", "e"], ["c.yaml SS3003"])
