"""Holds the benchmarks alive: each script still gets the answers that it times. Times are never asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CASES = ("unguarded", "allow", "deny", "create")


@pytest.mark.parametrize("arguments", [("decision.py", "--rounds", "1"), ("admission.py", "--requests", "25")])
def test_a_benchmark_gets_the_answers_that_it_times(arguments: tuple[str, ...]) -> None:
    script, *options = arguments
    command = [sys.executable, str(ROOT / "bench" / script), "--objects", "3", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, cwd=ROOT)
    assert done.returncode == 0, done.stderr + done.stdout
    assert [name for name in CASES if f"\n{name} " not in done.stdout] == []


def test_the_loader_benchmark_reads_as_many_documents_as_the_other_loader() -> None:
    command = [sys.executable, str(ROOT / "bench/loader.py"), "--rounds", "2", "--documents", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, cwd=ROOT)
    assert done.returncode == 0, done.stderr + done.stdout
    assert [line.split("KiB")[1].split()[0] for line in done.stdout.splitlines() if "one file" in line] == ["3"]
