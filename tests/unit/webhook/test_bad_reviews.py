"""Bad reviews, read and judged as the server does it: a denial where the uid can be read, else a status and a code.

A status admits under `failurePolicy: Ignore`, so it may be the answer only to what no requester can bring about.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from reconciler.errors import ReviewError
from reconciler.limits import REVIEW_BODY_BYTES, REVIEW_WIRE_BYTES
from tests.support import decisions
from webhook.decision.decide import decide
from webhook.decision.look import CURRENT, Look
from webhook.decision.review import decode, encode, stored_bytes
from webhook.server.judge import Endpoint, Judge

DRIFT = {"object": "web", "patch": {"spec": {"replicas": 5}}}
HERE = '"here"'


class Held:
    """A feed of one snapshot, and a recorder that keeps nothing."""

    def __init__(self) -> None:
        self.snapshot = decisions.snapshot(["web"])

    def current(self) -> Any:
        return self.snapshot

    def poll(self) -> None:
        return None

    def put(self, _: dict[str, object]) -> None:
        return None


HELD = Held()


def answered(body: bytes, endpoint: Endpoint | None = None) -> dict[str, Any]:
    """The response of the server's own way of a review. Raises ReviewError."""

    async def refresh(*_: object) -> Look:
        return CURRENT

    async def review() -> bytes:
        judge = Judge(HELD, decide, decode, encode, refresh, HELD, lambda: 0.0)
        return await judge.review(body, endpoint, asyncio.get_running_loop().time() + 60)

    response: dict[str, Any] = json.loads(asyncio.run(review()))["response"]
    return response


def changed(**request: Any) -> bytes:
    """The review of a change that Git does not want, with other members of the request."""
    whole = json.loads(decisions.review(DRIFT))
    whole["request"] |= request
    return json.dumps(whole).encode()


def with_value(text: str | bytes) -> bytes:
    """The same with a value in the object's spec, spelled just so."""
    whole = json.loads(decisions.review(DRIFT))
    whole["request"]["object"]["spec"]["paused"] = "here"
    value = text if isinstance(text, bytes) else text.encode()
    return json.dumps(whole).encode().replace(HERE.encode(), value)


def without_uid(body: bytes) -> bytes:
    whole = json.loads(body)
    del whole["request"]["uid"]
    return json.dumps(whole).encode()


UNREADABLE = {
    "NaN": with_value("NaN"),
    "Infinity": with_value("-Infinity"),
    "a number out of range": with_value("1e999"),
    "a huge integer": with_value("9" * 5_000),
    "a lone surrogate": with_value(r'"\ud800"'),
    "surrogates in the wrong order": with_value(r'"\udc00\ud800"'),
    "bytes that are not UTF-8": with_value(b'"\xff\xfe"'),
    "an overlong encoding": with_value(b'"\xc0\xaf"'),
    "a control character": with_value(b'"\x01"'),
    "a wrong literal": with_value("yes"),
    "cut off": changed()[:-40],
    "something after the end": changed() + b"{}",
    "an object that is a list": changed(object=[]),
    "an object that is a text": changed(object="web"),
    "metadata that is a list": changed(object={"metadata": []}),
    "an operation that is none": changed(operation="PATCH"),
    "a user that is none": changed(userInfo=None),
    "a name that is a number": changed(name=5),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_line_31_a_review_that_cannot_be_read_is_a_denial_where_its_uid_can(name: str) -> None:
    response = answered(UNREADABLE[name])
    assert (response["uid"], response["allowed"]) == ("u-1", False)
    message = response["status"]["message"]
    assert message.startswith("setscrew cannot read this review: ")
    assert message.endswith("[undecidable]")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("depth", [201, 1_000, 10_000, 100_000])
def test_line_31_an_object_of_any_depth_is_a_denial(depth: int) -> None:
    for opening, closing in (('{"a":', "}"), ("[", "]")):
        response = answered(with_value(opening * depth + "1" + closing * depth))
        assert (response["uid"], response["allowed"]) == ("u-1", False)
        assert "nested too deeply" in response["status"]["message"]


WITHOUT_VERDICT = {
    "nothing": (b"", 400, "SS5001"),
    "no JSON": (b"\xff", 400, "SS5001"),
    "another document": (b"[]", 400, "SS5001"),
    "only depth": (b"[" * 10_000, 400, "SS5001"),
    "no uid": (without_uid(changed()), 400, "SS5001"),
    "an empty uid": (changed(uid=""), 400, "SS5001"),
    "a uid that is null": (changed(uid=None), 400, "SS5001"),
    "a uid that is a number": (changed(uid=7), 400, "SS5001"),
    "no request": (json.dumps({**json.loads(changed()), "request": None}).encode(), 400, "SS5001"),
    "v1beta1": (changed().replace(b"admission.k8s.io/v1", b"admission.k8s.io/v1beta1"), 400, "SS5002"),
    "another kind": (changed().replace(b"AdmissionReview", b"TokenReview"), 400, "SS5002"),
    "plain text above the limit": (changed(object={"data": "x" * REVIEW_BODY_BYTES}), 413, "SS5003"),
    "blanks above the limit": (changed() + b" " * REVIEW_BODY_BYTES, 413, "SS5003"),
    "anything above the limit of the wire": (
        with_value(b'"' + rb"\u003c" * (REVIEW_WIRE_BYTES // 6 + 1) + b'"'), 413, "SS5003"),
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT_VERDICT)
def test_line_33_what_no_requester_can_bring_about_has_a_status_and_a_code(name: str) -> None:
    body, status, code = WITHOUT_VERDICT[name]
    with pytest.raises(ReviewError) as caught:
        answered(body)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert len(str(caught.value).splitlines()) == 1


def test_a_review_at_the_path_of_another_version_has_a_status_and_a_code() -> None:
    assert answered(changed(), Endpoint("apps", "v1"))["allowed"] is False
    with pytest.raises(ReviewError) as caught:
        answered(changed(), Endpoint("apps", "v1beta1"))
    assert (caught.value.status, caught.value.code) == (400, "SS5005")


def test_fields_that_nobody_knows_change_nothing() -> None:
    whole = json.loads(changed())
    whole["more"] = whole["request"]["more"] = whole["request"]["userInfo"]["more"] = {"allowed": True}
    assert answered(json.dumps(whole).encode()) == answered(changed())


WRONG_OBJECTS: list[dict[str, Any]] = [
    {"object": None},
    {"oldObject": None},
    {"object": None, "oldObject": None},
    {"operation": "CREATE", "object": None, "oldObject": None},
    {"operation": "CREATE", "object": None},
]


@pytest.mark.parametrize("request_", WRONG_OBJECTS, ids=str)
def test_line_33_an_object_that_is_null_where_it_must_not_be_is_a_denial(request_: dict[str, Any]) -> None:
    response = answered(changed(**request_))
    assert (response["allowed"], response["auditAnnotations"]["code"]) == (False, "undecidable")
    assert "holds no object to compare" in response["status"]["message"]


def test_line_33_a_deletion_needs_no_object_to_be_refused() -> None:
    for old in (None, json.loads(changed())["request"]["oldObject"]):
        response = answered(changed(operation="DELETE", object=None, oldObject=old))
        assert (response["allowed"], response["auditAnnotations"]["code"]) == (False, "delete")


@pytest.mark.parametrize("subresource", ["exec", "attach", "proxy"])
def test_line_33_a_connection_changes_no_configuration_and_has_no_object(subresource: str) -> None:
    assert (
        answered(changed(operation="CONNECT", subResource=subresource, object=None, oldObject=None))["allowed"] is True
    )


@pytest.mark.parametrize("name", [None, ""])
def test_line_33_without_a_name_in_the_request_the_object_names_itself(name: str | None) -> None:
    assert answered(changed(name=name))["auditAnnotations"]["code"] == "drift"
    created = json.loads(changed())["request"]["object"] | {"metadata": {"namespace": "shop", "generateName": "web-"}}
    assert answered(changed(operation="CREATE", name=name, object=created, oldObject=None))["allowed"] is True


DUPLICATES = {
    "the drift last": ('"replicas": 5', '"replicas": 3, "replicas": 5', False),
    "the drift first": ('"replicas": 5', '"replicas": 5, "replicas": 3', True),
    "the drift last, escaped": ('"replicas": 5', r'"replicas": 3, "replic\u0061s": 5', False),
    "another object last": ('"oldObject"', '"object": {"spec": {"replicas": 5}}, "oldObject"', False),
    "another operation first": ('"operation": "UPDATE"', '"operation": "CONNECT", "operation": "UPDATE"', False),
}


@pytest.mark.parametrize("name", DUPLICATES)
def test_line_31_of_a_name_that_stands_twice_the_last_counts(name: str) -> None:
    """As in Go's reader of maps. The API server sends none: it writes reviews from what it has decoded."""
    sent, other, allowed = DUPLICATES[name]
    body = changed().decode()
    assert sent in body
    assert answered(body.replace(sent, other, 1).encode())["allowed"] is allowed


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (rb"\u003c", 1), (rb"\\u003c", 6), (rb"\\\u003c", 2), (rb"\n\t\"", 3), (rb"\\\\", 2), (b"plain", 5),
        (rb"\u003c\u003e\u0026", 3), (rb"\ud83d\ude00", 2),
    ],
)  # fmt: skip
def test_an_escape_counts_as_what_it_stands_for(text: bytes, size: int) -> None:
    assert stored_bytes(text) == size


def test_two_full_objects_of_escapes_are_judged() -> None:
    """1.5 MiB of `<` in either object: 18 MiB on the wire, 3 MiB in etcd."""
    full = "<" * (3 * 1024 * 1024 // 2 - 10_000)
    whole = json.loads(decisions.review(DRIFT))
    for key in ("object", "oldObject"):
        whole["request"][key]["metadata"]["annotations"] = {"note": full}
    body = json.dumps(whole).replace("<", r"\u003c").encode()
    assert 17.5 * 1024 * 1024 < len(body) < REVIEW_WIRE_BYTES
    assert answered(body)["auditAnnotations"]["code"] == "drift"


def test_names_that_etcd_does_not_hold_are_no_way_past_the_limit() -> None:
    """1.5 MiB of a ClusterRole, sent as protobuf, are 9 MiB of JSON: a status here would admit the whole change."""
    rules = [{"verbs": [""], "apiGroups": [""], "resources": [""]}] * 190_000
    body = json.dumps({"rules": rules}, separators=(",", ":")).encode()
    assert len(body) > REVIEW_BODY_BYTES > stored_bytes(body)
