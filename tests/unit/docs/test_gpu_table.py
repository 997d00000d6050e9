"""Holds the page on GPU classes to the table that is shipped."""

from __future__ import annotations

from setscrew.configuration import builtin_policies
from tests.support.decisions import builtin_rules
from tests.support.tools import tool


def test_the_page_says_what_the_policies_say() -> None:
    made = tool("generate_gpu_table")
    assert made.PAGE.read_text("utf-8") == made.page(), "run: .venv/bin/python tools/generate_gpu_table.py"


def test_every_row_of_the_table_is_on_the_page() -> None:
    with_rows = {file.stem for file in (builtin_policies() / "gpu").glob("*.yaml") if "GpuClasses" in file.read_text()}
    assert sorted(tool("generate_gpu_table").shown()) == sorted(with_rows)
    assert len(builtin_rules().gpu_classes) == 27
