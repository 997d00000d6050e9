"""What the answer to the canary proves: only a refusal in our words for this very annotation is one of the guard."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cluster.api import Response
from reconciler.cluster.canary import ANNOTATION, Finding, attempt
from reconciler.errors import ApiError, ClusterError, UnreachableError
from reconciler.model.ref import KindInfo
from reconciler.policy.grant import Grant, Scope
from tests.support.fake_api import Call, FakeApi
from webhook.decision import message

WEB = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)
CLASS = KindInfo("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", namespaced=False)
OURS = 'admission webhook "apps-v1.guard.setscrew.dev" denied the request: canary may not change it'
CAUSE = (f"metadata.annotations[{ANNOTATION}]", "metadata", "steers Setscrew")


def tried(answer: Any) -> Finding:
    def handler(_: Call) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return attempt(FakeApi(handler), WEB, "shop", "web")  # type: ignore[arg-type]


def refusal(message: str, status: int = 403, causes: tuple[tuple[str, str, str], ...] = ()) -> ApiError:
    return ApiError(message, status=status, causes=causes)


@pytest.mark.parametrize(
    ("answer", "proof"),
    [
        (refusal(OURS, causes=(CAUSE,)), "sees"),
        (refusal(OURS), "unsure"),
        (refusal(OURS.replace("setscrew.dev", "example.com"), causes=(CAUSE,)), "unsure"),
        (refusal(f"quoted: {OURS}", causes=(CAUSE,)), "unsure"),
        (refusal('deployments.apps "web" is forbidden: User "canary" cannot patch resource', causes=()), "unsure"),
        (refusal('deployments.apps "web" is forbidden: exceeded quota'), "unsure"),
        (refusal('ValidatingAdmissionPolicy "x" denied request: no', 422), "unsure"),
        (refusal("Unauthorized", 401), "unsure"),
        (refusal("the object has been modified", 409), "unsure"),
        (refusal('Internal error occurred: failed calling webhook "v1-fail.guard.setscrew.dev": EOF', 500), "silent"),
        (refusal('Internal error occurred: failed calling webhook "x.example.com": EOF', 500), "unsure"),
        (refusal('deployments.apps "web" not found', 404), "gone"),
        (refusal("the server could not find the requested resource", 404), "gone"),
        (UnreachableError("the API server cannot be reached"), "unsure"),
        (ClusterError("the API server answered with something else than JSON"), "unsure"),
        ({"metadata": {"annotations": {"other": "x"}}}, "unsure"),
        ({}, "unsure"),
    ],
)
def test_an_answer_proves_what_it_says_and_no_more(answer: Any, proof: str) -> None:
    found = tried(answer)
    assert found.proof == proof
    assert found.detail or proof == "sees"


def test_an_admitted_change_is_blindness() -> None:
    found = attempt(FakeApi(lambda call: call.body), WEB, "shop", "web")  # type: ignore[arg-type]
    assert found.proof == "blind"
    assert found.fix


@pytest.mark.parametrize(
    ("kind", "namespace", "subresource", "path"),
    [
        (WEB, "shop", "", "/apis/apps/v1/namespaces/shop/deployments/web"),
        (WEB, "shop", "status", "/apis/apps/v1/namespaces/shop/deployments/web/status"),
        (CLASS, "", "", "/apis/resource.k8s.io/v1/deviceclasses/web"),
    ],
)
def test_it_is_always_a_dry_run_and_never_the_same_value(
    kind: KindInfo, namespace: str, subresource: str, path: str
) -> None:
    api = FakeApi(lambda call: call.body)
    for _ in range(2):
        attempt(api, kind, namespace, "web", subresource)  # type: ignore[arg-type]
    first, second = api.calls
    assert (first.method, first.path) == ("PATCH", path)
    assert first.query == {"dryRun": "All", "fieldManager": "setscrew-canary"}
    assert list(first.body["metadata"]["annotations"]) == [ANNOTATION]
    assert first.body != second.body


def test_what_the_guard_lets_pass_under_a_grant_is_no_blindness() -> None:
    grant = Grant("night", (), Scope(), "an outage", not_after=2_000_000_000)

    def warned(warning: str) -> Finding:
        api = FakeApi(lambda call: Response(200, call.body, (warning,)))
        return attempt(api, WEB, "shop", "web")  # type: ignore[arg-type]

    assert warned("somebody else's warning").proof == "blind"
    found = warned(message.granted(grant))
    assert found.proof == "unsure"
    assert "grant night" in found.detail
