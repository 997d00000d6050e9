"""Laws of `decode`: whatever the bytes, the answer is a Request or a ReviewError with an HTTP status."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import ReviewError
from reconciler.limits import REVIEW_DEPTH
from webhook.decision.decide import decide
from webhook.decision.review import decode, encode
from webhook.decision.types import Request

pytestmark = pytest.mark.property
_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.text(max_size=5), below, max_size=3)),
    max_leaves=8,
)


def body(**request: Any) -> dict[str, Any]:
    whole = {
        "uid": "u",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "operation": "UPDATE",
        "userInfo": {"username": "alice"},
        **request,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": whole}


def checked(data: bytes) -> Request | None:
    """The request of a review, its objects looked at; None where that is refused."""
    try:
        request = decode(data)
        _ = request.object, request.old
        return request
    except ReviewError as error:
        refused = error
    assert refused.status in (400, 413, 422)
    assert refused.code.startswith("SS50")
    return None


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff\xfe")
@example(b"[" * 10_000)
@example(b'{"a":' * 10_000)
@example(b"NaN")
@example(b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}')
def test_arbitrary_bytes_end_in_a_review_error(data: bytes) -> None:
    assert checked(data) is None


@given(st.dictionaries(st.sampled_from([*body()["request"], "object", "oldObject", "dryRun", "name"]), _json))
def test_a_request_with_any_values_is_read_or_refused(values: dict[str, Any]) -> None:
    checked(json.dumps(body(**values)).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "value",
    ["NaN", "1e400", "-1e400", "9" * 5_000, '"\\ud800"', '"\\udc00\\ud800"', "[" * 10_000, "Infinity", '{"a":1,"a":2}'],
    ids=lambda value: value[:12],
)
def test_hostile_values_inside_an_object_are_read_or_refused(value: str) -> None:
    data = json.dumps(body(object={"metadata": {}, "spec": "here"}, oldObject={})).replace('"here"', value)
    request = checked(data.encode())
    if request is not None:
        with contextlib.suppress(UnicodeEncodeError):
            encode(request.uid, decide(request, None, 0.0))


def test_the_depth_of_an_object_has_a_limit() -> None:
    tree: Any = "leaf"
    for _ in range(REVIEW_DEPTH - 1):
        tree = {"a": tree}
    assert checked(json.dumps(body(object=tree)).encode()) is not None
    assert checked(json.dumps(body(object={"a": {"b": tree}})).encode()) is None


@given(st.text(max_size=20), st.text(max_size=20))
def test_names_arrive_as_they_are_sent(name: str, user: str) -> None:
    sent = json.dumps(body(name=name, userInfo={"username": user}), ensure_ascii=False)
    try:
        data = sent.encode()
    except UnicodeEncodeError:
        return
    request = checked(data)
    assert request is not None
    assert (request.name, request.identity.username) == (name, user)
