"""The short form of `make chaos`: blow after blow while writes flow, with both failure policies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.run import FailurePolicy, chaos
from tests.chaos.trials import Size
from tests.chaos.verdict import summary

CHAOS_RATE = float(os.environ.get("SETSCREW_CHAOS_RATE") or 40)
_SHORT = Size(switches=5, rotations=2, kills=2, connections=200)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.mark.parametrize("failure", ["Fail", "Ignore"])
def test_line_19_whatever_breaks_nothing_past_git_slips_through_unknown(
    alone: None, tmp_path: Path, failure: FailurePolicy
) -> None:
    done = chaos(failure, CHAOS_RATE, _SHORT, tmp_path)
    assert done.verdict.violations == (), summary(done.verdict, done.facts())
