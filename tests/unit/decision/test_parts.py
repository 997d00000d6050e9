"""Owns the small parts of a decision alone: leaves, patterns, identities, scale."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reconciler.compare.leaves import adds, covered, shrinks
from reconciler.model.path import ItemKey
from reconciler.model.tree import ABSENT
from reconciler.policy.controllers import CONTROLLERS
from reconciler.policy.model import Policy, Subject, Writer
from reconciler.snapshot.model import Entry
from tests.support.decisions import KEY, builtin_rules, canonical, review, snapshot
from webhook.decision.decide import decide
from webhook.decision.identity import is_controller, is_one_of, named_writer
from webhook.decision.metadata import judge_metadata
from webhook.decision.review import decode
from webhook.decision.scale import as_object
from webhook.decision.types import Identity, Request

SA = "system:serviceaccount:shop:ci"


@pytest.mark.parametrize(
    ("was", "now", "added"),
    [
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {}, False),
        ({"a": 1}, {"a": 1, "b": 1}, True),
        ({"a": {}}, {"a": {"b": 1}}, True),
        ([1], [2], False),
        ([1], [1, 2], True),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        (1, {"a": 1}, True),
        (1, {}, False),
        (ABSENT, 0, True),
        (None, {"a": 1}, True),
        (ABSENT, None, False),
    ],
)
def test_added_is_what_was_not_there_in_any_form(was: Any, now: Any, added: bool) -> None:
    assert adds(was, now) is added


@pytest.mark.parametrize(
    ("was", "now", "smaller"),
    [
        ({"a": 1, "b": 2}, {"b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ([1, 2, 3], [1, 3], True),
        ([1, 2, 3], [3, 1], False),
        ([{"a": 1, "b": 2}], [{"a": 1}], True),
        ({"a": 1}, ABSENT, True),
        (1, True, False),
    ],
)
def test_taken_out_is_nothing_else_changed(was: Any, now: Any, smaller: bool) -> None:
    assert shrinks(was, now) is smaller


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("/spec/containers/*/image", True),
        ("/spec/containers/app/image", True),
        ("/spec/containers/other/image", False),
        ("/spec/**", True),
        ("/**", True),
        ("/spec", True),
        ("/spec/containers/*/image/deeper", False),
        ("/metadata", False),
        ("/spec/containers", True),
    ],
)
def test_patterns_cover_by_element(pattern: str, covers: bool) -> None:
    path = ("spec", "containers", ItemKey((("name", "app"),)), "image")
    assert covered(path, [pattern]) is covers


def test_a_pattern_may_hold_a_slash() -> None:
    assert covered(("metadata", "annotations", "a.b/c"), ["/metadata/annotations/a.b~1c"])


def test_a_service_account_counts_only_with_its_token() -> None:
    subject = [Subject(service_account="shop/ci")]
    assert is_one_of(Identity(SA, uid="1"), subject)
    assert not is_one_of(Identity(SA), subject)
    assert is_one_of(Identity(SA), subject, token=False)
    assert not is_one_of(Identity("system:serviceaccount:shop:ci2", uid="1"), subject)


def test_users_and_groups_are_named_exactly() -> None:
    assert is_one_of(Identity("a", groups=("g",)), [Subject(group="g")])
    assert not is_one_of(Identity("g"), [Subject(group="g")])
    assert is_one_of(Identity("a"), [Subject(user="a")])
    assert not is_one_of(Identity(""), [])


def test_machinery_is_told_from_people() -> None:
    certificate = {"authentication.kubernetes.io/credential-id": ("X509SHA256=5feceb66",)}
    assert is_controller(Identity(SA, uid="1"))
    assert is_controller(Identity("system:apiserver", uid="1"))
    assert is_controller(Identity("system:kube-controller-manager", extra=certificate))
    assert not any(is_controller(one) for one in (Identity(SA), Identity("alice", uid="1"), Identity("system:admin")))


def test_names_of_the_control_plane_count_only_with_credentials() -> None:
    certificate = {"authentication.kubernetes.io/credential-id": ("X509SHA256=5feceb66",)}
    names = ("system:apiserver", "system:kube-controller-manager", "system:kube-scheduler")
    assert not any(is_controller(Identity(name)) for name in names)
    assert not any(is_one_of(Identity(name), [Subject(user=name)]) for name in names)
    assert all(is_one_of(Identity(name, extra=certificate), [Subject(user=name)]) for name in names)
    assert not is_controller(Identity(SA, extra=certificate))


def test_the_controller_manager_stands_for_its_controllers_and_for_no_other_account() -> None:
    certificate = {"authentication.kubernetes.io/credential-id": ("X509SHA256=5feceb66",)}
    whole = Identity("system:kube-controller-manager", extra=certificate)
    assert all(is_one_of(whole, [Subject(service_account=name)]) for name in CONTROLLERS)
    assert not is_one_of(whole, [Subject(service_account="kube-system/cluster-autoscaler")])
    assert not is_one_of(whole, [Subject(service_account="shop/namespace-controller")])
    assert not is_one_of(Identity(whole.username), [Subject(service_account="kube-system/namespace-controller")])


def test_the_first_writer_that_is_named_counts() -> None:
    one, other = (Writer((Subject(user="a"),), verify) for verify in ("None", "Content"))
    assert named_writer(Identity("a"), [one, other]) is one
    assert named_writer(Identity("b"), [one, other]) is None


def test_a_scale_to_none_leaves_the_number_out() -> None:
    entry = Entry(canonical("widget", builtin_rules()), Policy("any"))
    assert as_object(entry, {"spec": {}}) == {"spec": {"size": 0}}
    assert as_object(entry, {"spec": {"replicas": None}}) == {"spec": {"size": 0}}
    assert as_object(entry, {"spec": {"replicas": 4}}) == {"spec": {"size": 4}}


def test_without_a_snapshot_nothing_is_admitted() -> None:
    request = Request("1", "apps", "v1", "deployments", "Deployment", "UPDATE", Identity("alice"))
    decision = decide(request, None, 0.0)
    assert (decision.allowed, decision.code) == (False, "no-snapshot")
    assert KEY.decode() not in decision.message


def test_where_git_declares_two_versions_each_entry_judges_its_own() -> None:
    held = snapshot(["web"])
    web = held.entries[0]
    beta = replace(web.object, kind=replace(web.object.kind, version="v1beta1"), ref=web.object.ref._replace(name="b"))
    both = replace(held, entries=(web, replace(web, object=beta)))
    request = decode(review({"object": "web", "patch": {"spec": {"replicas": 5}}}))
    assert decide(replace(request, version="v1beta1"), both, 0.0).code == "other-version"
    assert decide(request, both, 0.0).code == "drift"
    assert decide(replace(request, version="v1beta1"), held, 0.0).code == "undecidable"


class _Counted(str):
    """Counts how often one of its kind is asked whether it is another."""

    __slots__ = ()
    asked = 0

    def __eq__(self, other: object) -> bool:
        _Counted.asked += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_finalizers_by_the_thousand_are_not_compared_each_with_each() -> None:
    held, alice = snapshot(["web"]), Identity("alice")

    def state(last: str) -> dict[str, Any]:
        return {"finalizers": [*(_Counted(f"a/{number}") for number in range(2000)), last]}

    found = list(judge_metadata(held.entries[0], held, alice, state("b/1"), state("b/2")))
    assert [violation.was for violation in found] == ["b/1"]
    assert 0 < _Counted.asked < 20_000


@pytest.mark.parametrize("missing", ["object", "oldObject"])
def test_a_lever_that_is_going_is_not_let_go_by_a_review_that_lacks_a_side(missing: str) -> None:
    going = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}}
    case = {
        "object": "gitsource",
        "as": "garbage-collector",
        "drift": going,
        "patch": {"metadata": {"finalizers": None}},
    }
    body = json.loads(review(case))
    del body["request"][missing]
    decided = decide(decode(json.dumps(body).encode()), snapshot(["config"]), 0.0)
    assert (decided.allowed, decided.code) == (False, "own-lever")
