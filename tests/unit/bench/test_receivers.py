"""Holds bench/receivers.py alive: reviews are answered beside deliveries that are refused. Times are never asserted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(shutil.which("go") is None, reason="the load client is built with Go")
@pytest.mark.timeout(400)
def test_reviews_and_refused_deliveries_are_answered_at_the_same_time() -> None:
    command = [sys.executable, str(ROOT / "bench" / "receivers.py"), "--rounds", "1", "--seconds", "0.5"]
    done = subprocess.run(
        [*command, "--objects", "30"], capture_output=True, text=True, check=False, timeout=290, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "\n| a review, CPU (µs) |" in done.stdout
    assert "A refused delivery takes" in done.stdout
