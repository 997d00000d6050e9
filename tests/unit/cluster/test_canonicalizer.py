"""Holds that every object ends in a form or a reason, whatever the API server does."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest

from reconciler.cluster.canonicalizer import ServerForm, canonical_forms
from reconciler.cluster.pace import Pace, Rate
from reconciler.errors import ClusterError, UnreachableError
from reconciler.limits import DRY_RUN_TRIES, DRY_RUNS_AT_ONCE
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree
from tests.support.fake_api import Call, FakeApi, refused

CONFIG_MAP = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)


def rendered(name: str, namespace: str = "shop") -> RenderedObject:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return RenderedObject({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, Provenance())


def forms(handler: Any, objects: list[RenderedObject], **options: Any) -> dict[str, ServerForm]:
    pace = Pace(1e9, sleep=lambda _: None)
    pairs = [(item, CONFIG_MAP) for item in objects]
    found = canonical_forms(FakeApi(handler), pairs, pace=pace, **options)  # type: ignore[arg-type]
    return {item.ref.name: form for item, form in found}


def stored(call: Call) -> Tree:
    if call.method == "GET":
        raise refused(404, "not found", "NotFound")
    metadata = {**call.body["metadata"], "uid": str(id(call)), "resourceVersion": "1"}
    return {**call.body, "metadata": metadata, "status": {"x": 1}}


def test_a_form_lacks_status_and_what_only_the_server_sets() -> None:
    form = forms(stored, [rendered("a")])["a"]
    assert form.tree == rendered("a").tree
    assert (form.via, form.volatile, form.reason) == ("post", (), "")


def test_values_that_differ_between_two_runs_are_volatile() -> None:
    numbers = itertools.count()

    def handler(call: Call) -> Tree:
        answer = stored(call)
        return {**answer, "data": {"fixed": "1", "random": str(next(numbers))}}

    assert forms(handler, [rendered("a")])["a"].volatile == ("/data/random",)
    assert forms(handler, [rendered("a")], twice=False)["a"].volatile == ()


def test_a_live_object_handed_in_is_not_read_again() -> None:
    methods = []

    def handler(call: Call) -> Tree:
        methods.append(call.method)
        return stored(call)

    live = {rendered("a").ref: {"metadata": {"resourceVersion": "3"}}}
    assert forms(handler, [rendered("a")], live=live)["a"].via == "put"
    assert methods == ["PUT", "PUT"]


def test_one_refused_object_does_not_touch_the_others() -> None:
    def handler(call: Call) -> Tree:
        if call.method == "POST" and call.body["metadata"]["name"] == "b":
            raise refused(422, "data: Invalid value", "Invalid", ("data",))
        return stored(call)

    found = forms(handler, [rendered("a"), rendered("b"), rendered("c")])
    assert found["b"].tree is None
    assert "data: Invalid value" in found["b"].reason
    assert found["a"].tree is not None
    assert found["c"].tree is not None


def test_an_object_without_a_namespace_is_a_reason_not_a_guess() -> None:
    assert forms(stored, [rendered("a", "")])["a"].reason == "the object names no namespace"


def test_progress_counts_to_the_end() -> None:
    seen: list[tuple[int, int]] = []
    forms(stored, [rendered(name) for name in "abc"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_lost_cluster_ends_every_object_quickly_with_the_same_reason() -> None:
    calls = []

    def handler(call: Call) -> Tree:
        calls.append(call)
        raise UnreachableError("gone")

    found = forms(handler, [rendered(f"a{number}") for number in range(100)])
    assert {form.retryable_cause for form in found.values()} == {"unreachable"}
    assert len(found) == 100
    assert len(calls) <= DRY_RUNS_AT_ONCE * DRY_RUN_TRIES


def test_an_answer_that_is_not_json_is_a_reason() -> None:
    def handler(_: Call) -> Tree:
        raise ClusterError("the API server answered with something else than JSON")

    assert forms(handler, [rendered("a")])["a"].retryable_cause == "server"


def test_no_pairs_give_no_forms() -> None:
    assert forms(stored, []) == {}


@pytest.mark.parametrize("at_once", [1, 3])
def test_as_many_objects_are_asked_for_at_a_time_as_may_be(at_once: int) -> None:
    everybody, running, most = threading.Barrier(at_once), set[int](), []

    def handler(call: Call) -> Tree:
        running.add(threading.get_ident())
        most.append(len(running))
        # Passes only if as many are under way together.
        everybody.wait(timeout=10)
        running.discard(threading.get_ident())
        return stored(call)

    found = forms(handler, [rendered(f"m{number}") for number in range(3)], live={}, rate=Rate(at_once=at_once))
    assert {form.reason for form in found.values()} == {""}
    assert max(most) == at_once
