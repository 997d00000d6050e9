"""Holds the sentence and the retry cause of every expected refusal, with the API server's own messages."""

from __future__ import annotations

import pytest

from reconciler.cluster.refusal import refusal, told, without_values
from reconciler.errors import ApiError, ClusterError, UnreachableError
from reconciler.model.ref import KindInfo
from tests.support.fake_api import refused

PODS = KindInfo("", "v1", "Pod", "pods", namespaced=True)
SECRETS = KindInfo("", "v1", "Secret", "secrets", namespaced=True)
FOOS = KindInfo("x.io", "v1", "Foo", "foos", namespaced=True)

CASES = [
    (refused(404, 'namespaces "shop" not found', "NotFound"), "namespace:shop", "namespace shop does not exist yet"),
    (refused(404, "404 page not found"), "kind:x.io/Foo", "does not serve Foo in x.io/v1 yet"),
    (refused(403, 'pods "a" is forbidden: exceeded quota: q, requested: pods=1', "Forbidden"), "quota:shop", "quota"),
    (refused(403, 'foos "a" is forbidden: failed quota: q: must specify x'), "quota:shop", "quota"),
    (
        refused(403, "unable to create new content in namespace shop because it is being terminated"),
        "namespace:shop",
        "being deleted",
    ),
    (refused(403, 'admission webhook "w.x.io" denied the request: no'), "policy", "admission policy refuses it"),
    (refused(422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"), "policy", "not accept"),
    (
        refused(403, "pods is forbidden: maximum cpu usage per Container is 1, but limit is 2"),
        "limits:shop",
        "LimitRange",
    ),
    (refused(403, 'foos is forbidden: User "c" cannot create resource "foos"'), "right", "lacks a right on foos"),
    (
        refused(403, "roles is forbidden: user is attempting to grant RBAC permissions not held"),
        "right",
        "lacks a right",
    ),
    (refused(403, "priorityclasses is forbidden: only one default"), "policy", "admission refuses it"),
    (refused(400, "admission webhook w does not support dry run"), "webhook", "does not take dry-runs"),
    (refused(500, 'Internal error occurred: failed calling webhook "w": timeout'), "webhook", "does not answer"),
    (refused(503, "the server is currently unable to handle the request"), "server", "not able to answer"),
    (refused(429, "too many requests"), "server", "not able to answer"),
    (refused(409, "the object has been modified", "Conflict"), "conflict", "changes too fast"),
    (refused(413, "Request entity too large: limit is 3145728"), "", "larger than the API server takes"),
    (refused(400, "strict decoding error"), "", "does not accept it: strict decoding error"),
    (refused(422, "spec.x: Required value", "Invalid", ("spec.x",)), "", "does not accept it: spec.x"),
]


@pytest.mark.parametrize(("error", "cause", "words"), CASES, ids=[case[0].message[:40] for case in CASES])
def test_each_refusal_has_its_cause_and_says_why(error: ApiError, cause: str, words: str) -> None:
    said = refusal(error, FOOS, "shop", copied=False)
    assert said.cause == cause
    assert words in said.reason


def test_a_rule_on_the_name_counts_only_against_a_copy() -> None:
    error = refused(422, "metadata.name: Invalid value", "Invalid", ("metadata.name",))
    assert refusal(error, FOOS, "shop", copied=True).cause == "name"
    assert refusal(error, FOOS, "shop", copied=False).cause == ""


def test_a_denial_of_a_copy_may_be_for_its_name_alone() -> None:
    error = refused(422, "ValidatingAdmissionPolicy 'p' denied request: failed expression", "Invalid")
    assert refusal(error, FOOS, "shop", copied=True).cause == "name"
    assert refusal(error, FOOS, "shop", copied=False).cause == "policy"


def test_the_reason_for_a_secret_never_quotes_what_the_api_server_says() -> None:
    error = refused(422, 'data[k]: Invalid value: "hunter2"', "Invalid", ("data[k]",))
    said = refusal(error, SECRETS, "shop", copied=False)
    assert "hunter2" not in said.reason
    assert "Invalid at data[k]" in said.reason


def test_the_reason_for_another_kind_does() -> None:
    error = refused(422, 'spec: Invalid value: "x"', "Invalid", ("spec",))
    assert 'Invalid value: "x"' in refusal(error, PODS, "shop", copied=False).reason


def pod(name: str, value: str) -> dict[str, object]:
    return {"spec": {"containers": [{"name": "app", "env": [{"name": name, "value": value}]}]}}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("hunter2", 'spec.x: Invalid value: "hunter2": it is too plain'),
        ('hun"ter\n2', 'admission webhook "w.x.io" denied the request: hun\\"ter\\n2 is no password'),
        ("schlüssel", "admission webhook denied the request: schl\\u00fcssel"),
    ],
)
def test_the_reason_for_what_holds_a_secret_does_not_quote_it(value: str, message: str) -> None:
    error = refused(422, message, "Invalid", ("spec.x",))
    said = refusal(error, PODS, "shop", copied=False, tree=pod("DB_PASSWORD", value)).reason
    assert message.partition(": ")[2] not in said
    assert "Invalid at spec.x" in said
    assert message.partition(": ")[2] in refusal(error, PODS, "shop", copied=False, tree=pod("DB_HOST", value)).reason


@pytest.mark.parametrize(
    "message",
    [
        'spec.template: Invalid value: core.PodTemplateSpec{Env:{Name:"DB_PASSWORD", Value:"hunter2"}}: immutable',
        'spec: Forbidden: pod updates may not change fields other than these\n \tName: "DB_PASSWORD",\n-Value: hunter2',
        "spec.template: Invalid value: map[name:DB_PASSWORD value:hunter2]: field is immutable",
    ],
)
def test_a_whole_object_is_never_quoted_for_it_may_be_an_earlier_one(message: str) -> None:
    said = refusal(refused(422, message, "Invalid", ("spec.template",)), PODS, "shop", copied=False, tree={}).reason
    assert "hunter2" not in said
    assert "Invalid at spec.template" in said


STEERING = "no\x1b[2J\x00 \u202e\ud800 way\nat all"


def test_a_reason_holds_nothing_that_steers_a_terminal() -> None:
    errors: list[ClusterError] = [refused(status, STEERING) for status in (400, 403, 404, 429, 500)]
    reasons = [refusal(error, FOOS, "shop", copied=False).reason for error in errors if isinstance(error, ApiError)]
    for said in (*reasons, *map(told, (*errors, UnreachableError(STEERING), ClusterError(STEERING)))):
        assert said.isprintable(), said


def test_why_something_cannot_be_read_quotes_no_object_that_a_converter_quotes() -> None:
    said = told(refused(500, "conversion webhook for x.io/v1, Kind=Foo failed: hunter2 is no number", "InternalError"))
    assert said == "InternalError: a conversion webhook failed"
    assert told(refused(403, 'foos is forbidden: User "c" cannot list resource "foos"')).startswith("foos is forbidden")
    assert told(UnreachableError("no answer in time")) == "no answer in time"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            refused(422, "spec: Invalid value: planted: field is immutable", "Invalid", ("spec.a", "spec.b[0]")),
            "Invalid at spec.a, spec.b[0]: field is immutable",
        ),
        (
            refused(403, 'User "healer" cannot patch resource "pods" in API group ""', "Forbidden"),
            "Forbidden: no right to patch it",
        ),
        (
            refused(403, 'admission webhook "a.example.com" denied the request: planted', "Forbidden"),
            "Forbidden: admission webhook a.example.com denied the request",
        ),
        (
            refused(403, 'planted: admission webhook "planted" denied the request', "Forbidden"),
            "Forbidden: an admission webhook denied the request",
        ),
        (refused(403, "it is Forbidden: planted", "Forbidden"), "Forbidden"),
        (refused(418, "planted"), "HTTP 418"),
        (refused(403, "no", "a planted reason"), "HTTP 403"),
        (refused(422, "planted", "Invalid", ("<nil>", "env 'planted'")), "Invalid"),
        (refused(422, "", "Invalid", tuple("abcdefg")), "Invalid at a, b, c, d, e, 2 more"),
    ],
)
def test_without_values_only_known_phrases_and_places_are_left(error: ApiError, said: str) -> None:
    assert without_values(error) == said
    assert "planted" not in without_values(error)
