"""Two minutes of `make soak`: a working cluster under guard, and a person who goes past Git all the time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.run import soak
from tests.soak.verdict import summary

SOAK_SECONDS = float(os.environ.get("SETSCREW_SOAK_SECONDS") or 120)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(SOAK_SECONDS + 700)]


def test_nothing_of_the_clusters_own_is_refused_and_nothing_past_git_is_admitted(alone: None, tmp_path: Path) -> None:
    done = soak(SOAK_SECONDS, tmp_path)
    assert done.verdict.violations == (), summary(done.verdict, done.facts())
