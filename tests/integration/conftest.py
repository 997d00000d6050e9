"""Owns the stage that several modules of integration tests play on, each on one of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from setscrew.demo.stage import Stage
from tests.support import small_shop


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    """The small shop, synced and guarded; a module that needs another stage has its own fixture of this name."""
    with Stage(small_shop.SOURCES, small_shop.fill, scan_seconds=1) as one:
        yield small_shop.synced_stage(one)
