"""Holds how live objects are read: pages, restarts, and that what was not seen is said."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from reconciler.cluster.live import get_live, list_live, read_live
from reconciler.errors import ApiError, ClusterError, UnreachableError
from reconciler.limits import LIST_FROM_OBJECTS, READS_IN_FLIGHT
from reconciler.model.ref import KindInfo, ObjectRef
from tests.support.fake_api import Call, FakeApi, refused
from tests.support.waiting import PATIENCE_SECONDS

KIND = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)
NODE = KindInfo("", "v1", "Node", "nodes", namespaced=False)


def item(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {}}


def ref(name: str) -> ObjectRef:
    return ObjectRef("apps", "Deployment", "shop", name)


def test_all_pages_are_read_and_items_get_their_kind_back() -> None:
    def handler(call: Call) -> Any:
        if "continue" not in call.query:
            return {"items": [item("a")], "metadata": {"continue": "next"}}
        return {"items": [item("b")], "metadata": {}}

    api = FakeApi(handler)
    live = list_live(api, [KIND])  # type: ignore[arg-type]
    assert set(live.objects) == {ref("a"), ref("b")}
    assert live.objects[ref("a")] == {"apiVersion": "apps/v1", "kind": "Deployment", **item("a")}
    assert [call.query for call in api.calls] == [{"limit": 500}, {"limit": 500, "continue": "next"}]


def test_what_answers_with_nonsense_was_not_seen_and_the_others_are() -> None:
    def handler(call: Call) -> Any:
        if "deployments" in call.path:
            raise ClusterError("the API server answered with something else than JSON")
        return {"metadata": {"name": "n"}}

    node = ObjectRef("", "Node", "", "n")
    live = read_live(FakeApi(handler), [(ref("a"), KIND), (node, NODE)])  # type: ignore[arg-type]
    assert (set(live.objects), set(live.unseen)) == ({node}, {ref("a")})
    assert list(list_live(FakeApi(handler), [KIND]).unread) == ["apps/v1 deployments"]  # type: ignore[arg-type]


def test_a_list_that_the_server_has_forgotten_begins_again() -> None:
    answers = iter([{"items": [item("a")], "metadata": {"continue": "x"}}, refused(410), {"items": [item("b")]}])

    def handler(_: Call) -> Any:
        answer = next(answers)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    assert ref("b") in list_live(FakeApi(handler), [KIND]).objects  # type: ignore[arg-type]


def test_a_kind_that_cannot_be_listed_is_named() -> None:
    def handler(call: Call) -> Any:
        if call.path.endswith("/nodes"):
            raise refused(403, "nodes is forbidden")
        return {"items": [item("a")]}

    live = list_live(FakeApi(handler), [NODE, KIND], "shop")  # type: ignore[arg-type]
    assert live.unread == {"v1 nodes": "nodes is forbidden"}
    assert set(live.objects) == {ref("a")}


def test_a_kind_that_is_not_served_has_no_objects() -> None:
    def handler(_: Call) -> Any:
        raise refused(404)

    live = list_live(FakeApi(handler), [KIND])  # type: ignore[arg-type]
    assert (live.objects, live.unread) == ({}, {})


def test_a_few_objects_are_read_one_by_one_and_absent_ones_are_absent() -> None:
    def handler(call: Call) -> Any:
        if call.path.endswith("/b"):
            raise refused(404)
        return item("a")

    api = FakeApi(handler)
    live = read_live(api, [(ref("a"), KIND), (ref("b"), KIND)])  # type: ignore[arg-type]
    assert set(live.objects) == {ref("a")}
    assert api.sent == ["GET a", "GET b"]


def test_many_objects_of_a_namespace_are_listed_and_strangers_are_let_go() -> None:
    wanted = [(ref(f"a{number}"), KIND) for number in range(LIST_FROM_OBJECTS + 1)]
    api = FakeApi(lambda _: {"items": [item("a0"), item("stranger"), item("a1")]})
    live = read_live(api, wanted)  # type: ignore[arg-type]
    assert set(live.objects) == {ref("a0"), ref("a1")}
    assert api.sent == ["GET deployments"]


def test_where_listing_is_refused_each_object_is_read() -> None:
    def handler(call: Call) -> Any:
        if call.path.endswith("/deployments"):
            raise refused(403, "cannot list")
        if call.path.endswith("/a1"):
            raise refused(403, "cannot get")
        return item(call.path.rpartition("/")[2])

    wanted = [(ref(f"a{number}"), KIND) for number in range(LIST_FROM_OBJECTS + 1)]
    live = read_live(FakeApi(handler), wanted)  # type: ignore[arg-type]
    assert len(live.objects) == LIST_FROM_OBJECTS
    assert live.unseen == {ref("a1"): "cannot get"}


def test_an_object_that_may_not_be_read_is_not_taken_for_absent() -> None:
    def handler(_: Call) -> Any:
        raise refused(403)

    with pytest.raises(ApiError):
        get_live(FakeApi(handler), KIND, "shop", "a")  # type: ignore[arg-type]


def test_several_objects_are_asked_for_before_the_first_answers_and_each_answer_is_of_its_own_object() -> None:
    together = threading.Barrier(READS_IN_FLIGHT)

    def handler(call: Call) -> Any:
        together.wait(PATIENCE_SECONDS)  # breaks where one waits for the other
        name = call.path.rpartition("/")[2]
        if name == "n1":
            raise refused(404)
        if name == "n2":
            raise refused(403)
        return item(name)

    wanted = [(ref(f"n{number}"), KIND) for number in range(READS_IN_FLIGHT)]
    live = read_live(FakeApi(handler), wanted, one_by_one=READS_IN_FLIGHT)  # type: ignore[arg-type]
    assert set(live.unseen) == {ref("n2")}
    names = {one.name: tree["metadata"]["name"] for one, tree in live.objects.items()}  # type: ignore[index,call-overload]
    assert names == {one.name: one.name for one, _ in wanted if one.name not in ("n1", "n2")}


@pytest.mark.parametrize("several", [1, 3 * READS_IN_FLIGHT])
def test_where_nobody_answers_nothing_was_read(several: int) -> None:
    def handler(_: Call) -> Any:
        raise UnreachableError("nobody answers")

    wanted = [(ref(f"n{number}"), KIND) for number in range(several)]
    with pytest.raises(UnreachableError):
        read_live(FakeApi(handler), wanted, one_by_one=several)  # type: ignore[arg-type]
