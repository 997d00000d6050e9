"""What others need comes first; what is only taken away goes the other way, and last."""

from __future__ import annotations

from reconciler.heal.order import turn
from reconciler.model.ref import ObjectRef

NEEDED_FIRST = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Service",
    "Deployment",
    "Ingress",
    "Widget",
    "APIService",
    "ValidatingWebhookConfiguration",
)


def kinds(refs: list[ObjectRef], *, takes_away: bool = False) -> tuple[str, ...]:
    return tuple(ref.kind for ref in sorted(refs, key=lambda ref: turn(ref, takes_away=takes_away)))


def by_name() -> list[ObjectRef]:
    refs = [ObjectRef("", kind, "", "one") for kind in NEEDED_FIRST]
    return sorted(refs)


def test_objects_are_put_back_as_they_need_each_other() -> None:
    assert kinds(by_name()) == NEEDED_FIRST


def test_extras_are_taken_away_in_reverse() -> None:
    assert kinds(by_name(), takes_away=True) == NEEDED_FIRST[::-1]


def test_nothing_is_taken_away_before_all_is_put_back() -> None:
    assert max(turn(ref) for ref in by_name()) < min(turn(ref, takes_away=True) for ref in by_name())


def test_objects_of_one_kind_have_one_order() -> None:
    names = [ObjectRef("", "ConfigMap", "shop", name) for name in "cab"]
    assert [ref.name for ref in sorted(names, key=turn)] == ["a", "b", "c"]
