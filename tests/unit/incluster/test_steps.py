"""What a replica does again and again: said once where it fails, and never again after its end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from reconciler.errors import StoreError
from setscrew.incluster.newest import Newest
from setscrew.incluster.steps import Steps
from tests.support.fake_api import Call, FakeApi


def test_a_failure_is_said_once_until_it_is_another_or_over() -> None:
    said: list[str] = []
    steps = Steps(FakeApi(lambda _: {}), said.append)  # type: ignore[arg-type] # a fake

    def fail(why: str) -> None:
        raise StoreError(why)

    assert not steps.step("snapshot", lambda: fail("full"))
    assert not steps.step("snapshot", lambda: fail("full"))
    assert not steps.step("snapshot", lambda: fail("read-only"))
    assert steps.step("snapshot", lambda: None)
    assert not steps.step("snapshot", lambda: fail("read-only"))
    assert not steps.step("keys", lambda: {}["nobody foresaw that"])
    assert [line.partition(":")[0] for line in said] == ["snapshot"] * 3 + ["keys"]


def test_once_it_is_quiet_nothing_is_under_way_and_nothing_begins() -> None:
    steps = Steps(FakeApi(lambda _: {}), lambda _: None)  # type: ignore[arg-type] # a fake
    begun, go_on, done = threading.Event(), threading.Event(), list[str]()

    def slow() -> None:
        begun.set()
        go_on.wait()
        done.append("slow")

    threading.Thread(target=steps.step, args=("snapshot", slow), daemon=True).start()
    begun.wait()
    ending = threading.Thread(target=lambda: (steps.quiet(), done.append("quiet")), daemon=True)
    ending.start()
    steps.stop.wait()
    go_on.set()
    ending.join()
    assert steps.step("snapshot", lambda: done.append("late"))
    assert done == ["slow", "quiet"]


@pytest.mark.parametrize(
    ("data", "number"), [({}, 0), ({"newest-manifest": "12"}, 12), ({"newest-manifest": "-1"}, 0), (None, 0)]
)
def test_the_newest_number_is_what_the_leader_has_noted(data: dict[str, str] | None, number: int) -> None:
    api = FakeApi(lambda _: {"data": data})
    assert Newest(api).number() == number  # type: ignore[arg-type] # a fake


def test_each_number_is_noted_once() -> None:
    def answer(_: Call) -> Any:
        return {}

    api = FakeApi(answer)
    newest = Newest(api)  # type: ignore[arg-type] # a fake
    for one in (1, 1, 2):
        newest.note(one)
    assert [call.body for call in api.calls] == [{"data": {"newest-manifest": "1"}}, {"data": {"newest-manifest": "2"}}]
    assert {call.path for call in api.calls} == {"/api/v1/namespaces/setscrew-system/configmaps/setscrew-signing"}
