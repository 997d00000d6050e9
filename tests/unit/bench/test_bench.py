"""Holds the benchmarks alive: each script still gets the answers that it times. Times are never asserted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "bench"))

from support.figures import GOALS  # noqa: E402

CASES = ("unguarded", "allow", "deny", "create")


def test_a_benchmark_gets_the_answers_that_it_times() -> None:
    command = [sys.executable, str(ROOT / "bench" / "decision.py"), "--objects", "3", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, cwd=ROOT)
    assert done.returncode == 0, done.stderr + done.stdout
    assert [name for name in CASES if f"\n{name} " not in done.stdout] == []


@pytest.mark.skipif(shutil.which("go") is None, reason="the server to compare with is built with Go")
@pytest.mark.timeout(600)
def test_both_servers_give_the_answers_that_are_timed() -> None:
    parts = ("beside", "start")
    options = [option for part in parts for option in ("--only", part)]
    command = [sys.executable, str(ROOT / "bench" / "serving.py"), "--smoke", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=590, cwd=ROOT)
    assert done.returncode == 0, done.stderr + done.stdout
    measured = [goal for goal in GOALS if goal.key.split()[0] in {"beside", "start"}]
    assert [goal.label for goal in measured if f"\n| {goal.label} (" not in done.stdout] == []


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
