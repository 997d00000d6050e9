"""Holds which worker gets which file, and when: what takes long is begun first, and two at most run control planes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from tests.support.order import CONTROL_PLANES, OTHERS, InOrder, ranks


@dataclass
class Gateway:
    id: str


@dataclass(eq=False)
class Worker:
    """What the scheduler knows of one: what it was given, and that it gets no more."""

    gateway: Gateway
    given: list[int] = field(default_factory=list)
    shutting_down: bool = False

    def send_runtest_some(self, indices: Iterable[int]) -> None:
        self.given.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


def played(config: pytest.Config, count: int, tests: list[str]) -> list[list[str]]:
    """The tests of each worker, where all are as fast."""
    config.option.tx, config.option.numprocesses = ["popen"] * count, count
    order, workers = InOrder(config), [Worker(Gateway(f"gw{number}")) for number in range(count)]
    for worker in workers:
        order.add_node(worker)
        order.add_node_collection(worker, tests)
    order.schedule()
    done = [0] * count
    while any(at < len(worker.given) for at, worker in zip(done, workers, strict=True)):
        for number, worker in enumerate(workers):
            if done[number] < len(worker.given):
                done[number] += 1
                order.mark_test_complete(worker, worker.given[done[number] - 1])
    return [[tests[index] for index in worker.given] for worker in workers]


CLUSTERS = [f"tests/integration/test_{number}.py::test_x" for number in range(6)]
LIGHT = [f"tests/unit/test_{number}.py::test_x" for number in range(4)]


@pytest.fixture
def config(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> pytest.Config:
    for name in ("tx", "numprocesses", "loadscopereorder"):
        monkeypatch.setattr(pytestconfig.option, name, False)
    return pytestconfig


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_test_is_given_once_and_those_with_a_cluster_to_two_workers(config: pytest.Config, count: int) -> None:
    given = played(config, count, [*CLUSTERS, *LIGHT])
    assert sorted(test for some in given for test in some) == sorted([*CLUSTERS, *LIGHT])
    assert not set(CLUSTERS) & {test for some in given[CONTROL_PLANES:] for test in some}


def test_files_are_begun_in_order(config: pytest.Config) -> None:
    (given,) = played(config, 1, [*CLUSTERS, *LIGHT])
    assert given == [*CLUSTERS, *LIGHT]


def test_a_worker_without_a_cluster_ends_where_nothing_is_left_for_it(config: pytest.Config) -> None:
    assert played(config, 3, CLUSTERS)[2] == []


def test_an_order_has_a_place_for_what_it_does_not_name() -> None:
    assert ranks("# first\na.py\n\n...\nb.py\n") == {"a.py": 0, OTHERS: 1, "b.py": 2}
