"""Holds the benchmarks alive: each script still gets the answers that it times. Times are never asserted."""

from __future__ import annotations

import os
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


def test_the_canonical_benchmark_prints_a_row_for_each_run_each_set_of_objects_and_each_large_object() -> None:
    options = ["--objects", "24", "--rounds", "1", "--scale", "1", "--runs", "12,24"]
    command = [sys.executable, str(ROOT / "bench/canonical.py"), *options]
    environment = {**os.environ, "SETSCREW_CORPUS": str(ROOT / "no-such-directory")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr + done.stdout
    rows = ("      12 ", "      24 ", "typical ", "no published sources", "ConfigMap, same ", "set, all differ ")
    assert [row for row in rows if f"\n{row}" not in done.stdout] == []
