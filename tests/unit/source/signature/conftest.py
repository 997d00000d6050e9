"""Owns everybody who signs, made once a run: each key costs a moment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.signing import People, people


@pytest.fixture(scope="session")
def everybody() -> Iterator[People]:
    with people() as found:
        yield found
