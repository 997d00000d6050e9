"""A tried write says whose refusal it met, in words that tell no secret, and its request changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cluster.api import Response
from reconciler.errors import ApiError, UsageError
from reconciler.model.ref import KindInfo, ObjectRef
from setscrew.access import Trial, refused, tried
from setscrew.cli.drift_named import parse_target
from setscrew.cli.kinds import kind_of
from tests.support.fake_api import Call, FakeApi

CONFIG = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
REF = ObjectRef("", "ConfigMap", "shop", "settings")
SECRET = KindInfo("", "v1", "Secret", "secrets", namespaced=True)
OURS = 'admission webhook "v1.core.guard.setscrew.dev" denied the request: Setscrew: dana may not'


def trial(verb: Any = "patch", body: Any = None, **more: Any) -> Trial:
    return Trial(verb, more.pop("kind", CONFIG), REF, body, **more)


@pytest.mark.parametrize(
    ("message", "status", "by", "told"),
    [
        (OURS, 403, "setscrew", "Setscrew: dana may not"),
        (
            "ValidatingAdmissionPolicy 'setscrew-levers' with binding 'setscrew-levers' denied request: not you",
            *(403, "setscrew", "not you"),
        ),
        (
            'configmaps "settings" is forbidden: User "x" cannot patch resource "configmaps"',
            403,
            "rbac",
            "cannot patch",
        ),
        ('users "dana" is forbidden: User "x" cannot impersonate resource "users"', 403, "rbac", "impersonate"),
        ('admission webhook "v1.guard.example.com" denied the request: no', 400, "other", "denied the request"),
        ("ValidatingAdmissionPolicy 'theirs' with binding 'b' denied request: no", 422, "other", "denied request"),
        ("exceeded quota", 403, "other", "exceeded quota"),
    ],
)
def test_a_refusal_is_its_own_kind(message: str, status: int, by: str, told: str) -> None:
    found = refused(ApiError(message, status=status, reason="Forbidden"), trial())
    assert (found.allowed, found.by) == (False, by)
    assert told in found.message


@pytest.mark.parametrize(("status", "reason"), [(404, "NotFound"), (422, "Invalid"), (409, "Conflict")])
def test_what_is_wrong_with_the_write_is_an_error_and_no_answer(status: int, reason: str) -> None:
    with pytest.raises(ApiError) as error:
        refused(ApiError("it is wrong", status=status, reason=reason), trial())
    assert error.value.status == status


def test_nothing_of_a_secret_is_quoted() -> None:
    message = 'admission webhook "theirs.example.com" denied the request: planted-7c2e'
    found = refused(ApiError(message, status=403, reason="Forbidden"), trial(kind=SECRET))
    assert (found.by, "planted" in found.message) == ("other", False)


@pytest.mark.parametrize(
    ("given", "method", "path"),
    [
        (trial("patch", {"data": {"a": "b"}}, subresource="scale"), "PATCH", "/configmaps/settings/scale"),
        (trial("delete"), "DELETE", "/configmaps/settings"),
        (trial("create", {"metadata": {}}), "POST", "/configmaps"),
        (trial("apply", {"metadata": {}}), "PATCH", "/configmaps/settings"),
        (trial("update", {"metadata": {"name": "settings"}}), "PUT", "/configmaps/settings"),
    ],
)
def test_every_request_is_a_dry_run(given: Trial, method: str, path: str) -> None:
    def answer(call: Call) -> Any:
        return Response(200, {"metadata": {"resourceVersion": "7"}}, ("away\x1b[31m",))

    client: Any = FakeApi(answer)
    found = tried(client, client, given)
    writes = [call for call in client.calls if call.method != "GET"]
    assert [(call.method, call.path.endswith(path), call.query["dryRun"]) for call in writes] == [(method, True, "All")]
    assert (found.allowed, found.warnings) == (True, ("away\\x1b[31m",))
    if given.verb == "update":
        assert writes[0].body["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize(
    "given", [trial("create"), trial("apply", {"metadata": {"name": "other"}}), trial("create", {}), trial("patch")]
)
def test_a_write_of_nothing_or_of_another_object_is_wrong_use(given: Trial) -> None:
    client: Any = FakeApi(lambda _: {})
    with pytest.raises(UsageError):
        tried(client, client, given)


def test_a_name_means_the_kind_that_kubectl_means() -> None:
    kinds = [
        CONFIG,
        KindInfo("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", namespaced=True),
        KindInfo("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", namespaced=True),
        KindInfo("autoscaling", "v2beta2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", namespaced=True),
        KindInfo("serving.knative.dev", "v1", "Service", "services", namespaced=True),
        KindInfo("", "v1", "Service", "services", namespaced=True),
    ]
    assert kind_of(kinds, parse_target("hpa/web")).version == "v2"
    assert kind_of(kinds, parse_target("svc/web")).group == ""
    assert kind_of(kinds, parse_target("service.serving.knative.dev/web")).group == "serving.knative.dev"
    assert kind_of(kinds, parse_target("configmaps/web")) == CONFIG
    with pytest.raises(UsageError, match="serves no kind"):
        kind_of(kinds, parse_target("widget/web"))
