"""Who uses a GPU class stands in each refusal that concerns one, and what is simply admitted never asks."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.gpu.users.model import Census, ClassName, Tenant, Users
from reconciler.limits import DENIAL_MESSAGE_CHARS
from tests.support.decisions import judged, snapshot
from webhook.decision import message
from webhook.decision.types import Decision
from webhook.decision.verdict import Verdict

USED = Users(
    running=7,
    pending=2,
    templates=3,
    claims=5,
    namespaces=1,
    tenants=(Tenant("ml-platform", "team-vision", 12),),
    examples=("Pod ml-platform/train-0",),
)
CLASS = ClassName("DeviceClass", "gpu.example.com")
RESOURCE = ClassName("Resource", "example.com/gpu")
CENSUS = Census("2030-01-01T00:00:00Z", {CLASS: USED, RESOURCE: USED})
SELECTORS = {"spec": {"selectors": [{"cel": {"expression": "true"}}]}}
LOOSER = {"object": "deviceclass", "patch": SELECTORS}
CRD = {"group": "apiextensions.k8s.io", "version": "v1"}


class Asked:
    """A census that counts who asks."""

    def __init__(self, census: Census | None = CENSUS) -> None:
        self.census, self.times = census, 0

    def __call__(self) -> Census | None:
        self.times += 1
        return self.census


def decided(census: Asked | None = None, **case: Any) -> Decision:
    return judged({**LOOSER, **case}, census or Asked())[1]


def told(decision: Decision) -> bool:
    return any("ml-platform" in line for line in decision.users)


REFUSED: dict[str, dict[str, Any]] = {
    "a change": {},
    "its deletion": {"operation": "DELETE"},
    "another one of its kind, of the same resource name": {
        "operation": "CREATE",
        "request": {
            "name": "stray",
            "object": {"metadata": {"name": "stray"}, "spec": {"extendedResourceName": "example.com/gpu"}},
        },
    },
    "the deletion of its definition": {
        "operation": "DELETE",
        "request": {
            "name": "deviceclasses.resource.k8s.io",
            "kind": {**CRD, "kind": "CustomResourceDefinition"},
            "resource": {**CRD, "resource": "customresourcedefinitions"},
            "oldObject": {"metadata": {"name": "deviceclasses.resource.k8s.io"}},
        },
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_tells_who_uses_the_class_before_what_to_do(name: str) -> None:
    decision = decided(**REFUSED[name])
    assert not decision.allowed
    assert told(decision)
    lines = decision.message.splitlines()
    what_to_do = next(number for number, line in enumerate(lines) if line.startswith("What to do:"))
    assert all(lines.index(line) < what_to_do for line in decision.users)


def test_the_audit_log_and_the_record_have_the_numbers() -> None:
    numbers = "running=7 pending=2 templates=3 claims=5 nodes=0 namespaces=1"
    assert decided().audit["gpu-users"] == f"DeviceClass gpu.example.com {numbers}"


def test_a_warning_tells_it_too() -> None:
    decision = decided(policy={"action": "Warn"})
    assert (decision.allowed, decision.code) == (True, "warned")
    assert told(decision)
    assert set(decision.users) < set(decision.warnings)
    assert decision.warnings[0] == "alice may not change DeviceClass.resource.k8s.io gpu.example.com away from Git."


def test_whoever_uses_a_grant_hears_it() -> None:
    grant = {"to": [{"user": "alice"}], "kinds": ["resource.k8s.io/DeviceClass"]}
    decision = decided(grants=[grant])
    assert (decision.allowed, decision.code) == (True, "granted")
    assert told(decision)
    assert set(decision.users) < set(decision.warnings)


def test_what_is_only_recorded_is_recorded_with_it() -> None:
    decision = decided(policy={"action": "Audit"})
    assert (decision.code, decision.warnings) == ("audited", ())
    assert "running=7" in decision.audit["gpu-users"]


def test_nobody_is_said_to_use_it_where_nobody_knows() -> None:
    decision = decided(Asked(None))
    assert "not known" in decision.message
    assert "Nobody" not in decision.message
    assert decision.audit["gpu-users"] == "unknown"


def test_where_a_kind_could_not_be_read_the_audit_log_says_so() -> None:
    decision = decided(Asked(Census("2030-01-01T00:00:00Z", {}, {"Pod": "forbidden"})))
    assert "Nobody" not in decision.message
    assert decision.audit["gpu-users"].endswith("; unseen Pod")


@pytest.mark.parametrize("case", [{"patch": {"metadata": {"labels": {"mine": "yes"}}}}, {"patch": {}}])
def test_what_is_admitted_asks_nobody(case: dict[str, Any]) -> None:
    asked = Asked()
    assert decided(asked, **case).allowed
    assert asked.times == 0


@pytest.mark.parametrize("name", ["web", "config", "secret", "namespace"])
def test_a_refusal_about_anything_else_asks_nobody(name: str) -> None:
    asked = Asked()
    decision = decided(asked, object=name, operation="DELETE")
    assert (decision.code, decision.users, asked.times) == ("delete", (), 0)
    assert "gpu-users" not in decision.audit


def test_many_lines_about_users_leave_the_end_of_the_message_whole() -> None:
    request, decision = judged(LOOSER, Asked())
    held = snapshot(["deviceclass"])
    verdict = Verdict(request, held, "gpu.example.com")
    shown = message.denial(verdict, held.entries[0], decision.causes * 12, users=["u" * 300] * 4)
    assert len(shown) <= DENIAL_MESSAGE_CHARS
    assert shown.splitlines()[-1] == "More: setscrew explain deviceclass/gpu.example.com"
    assert shown.count("u" * 300) == 4
    longer = message.denial(verdict, held.entries[0], decision.causes * 12, users=["u" * 300] * 40)
    assert longer.splitlines()[-1] == shown.splitlines()[-1]
