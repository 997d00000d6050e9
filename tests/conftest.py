"""Owns the fixtures every test can ask for, the order of tests, how long laws are searched; must not hold fixtures.

A few dozen examples each, the same ones every time; LAWS=long searches on.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.again import STATUS
from tests.support.order import ORDER, OTHERS, InOrder, ranks

pytest_plugins = ["tests.support.controlplane"]

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
# Derandomized, so that a failure is the change's own; without a deadline, since machines of CI stall.
settings.register_profile(
    "setscrew", max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("long", max_examples=3000, deadline=None, suppress_health_check=_SLOW)
settings.load_profile("long" if os.environ.get("LAWS") == "long" else "setscrew")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> InOrder | None:
    """Files go to workers in order, and only to two that may need a control plane."""
    return InOrder(config) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files come as tests/order.txt says, the tests of each as they stand in it."""
    places = ranks(ORDER.read_text())
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], places[OTHERS]))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """How the run has ended, for whoever tries again what has failed in it."""
    cache = getattr(session.config, "cache", None)
    if cache is not None and not hasattr(session.config, "workerinput"):
        cache.set(STATUS, int(exitstatus))
