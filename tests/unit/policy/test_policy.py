"""Owns what policy documents may say, what is refused with its place, and which policy an object gets."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.model.ref import ObjectRef
from reconciler.policy.model import Match, Policy
from reconciler.policy.parse import RULE_KINDS, parse_rules
from reconciler.policy.select import kind_matches, policy_for, strictest, takes_in
from tests.support.decisions import builtin_rules

WEB = ObjectRef("apps", "Deployment", "shop", "web")


def policy(**spec: Any) -> Policy:
    return parse_rules([("f.yaml", {"kind": "DriftPolicy", "metadata": {"name": "p"}, "spec": spec})]).policies[0]


def rules(kind: str, **rule: Any) -> Any:
    return parse_rules([("f.yaml", {"kind": kind, "rules": [rule]})])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"action": "deny"}, "action"),
        ({"undeclared": True}, "undeclared"),
        ({"priority": True}, "priority"),
        ({"priority": "1"}, "priority"),
        ({"fragment": "yes"}, "fragment"),
        ({"exclusive": True}, "exclusive needs kinds"),
        ({"match": {}}, "match"),
        ({"match": [{"kinds": "apps/Deployment"}]}, "kinds"),
        ({"match": [{"labels": {"a": 1}}]}, "labels"),
        ({"match": [{"kind": ["x"]}]}, "unknown field 'kind'"),
        ({"writers": [{"subjects": [{}]}]}, "exactly one"),
        ({"writers": [{"subjects": [{"user": "a", "group": "b"}]}]}, "exactly one"),
        ({"writers": [{"subjects": [{"serviceAccount": "a"}]}]}, "namespace/name"),
        ({"delegate": [{"paths": ["spec/replicas"], "to": []}]}, "JSON pointer"),
        ({"delegate": [{"paths": [], "operations": ["update"], "to": []}]}, "operations"),
        ({"nonsense": 1}, "unknown field 'nonsense'"),
        ([], "mapping"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(spec: Any, says: str) -> None:
    document = {"kind": "DriftPolicy", "metadata": {"name": "p"}, "spec": spec or [1]}
    with pytest.raises(UsageError, match=says) as caught:
        parse_rules([("f.yaml", document)])
    assert "f.yaml" in str(caught.value)


@pytest.mark.parametrize("metadata", [None, {}, [], {"name": 1}, {"name": ""}])
def test_a_policy_has_a_name(metadata: Any) -> None:
    with pytest.raises(UsageError, match=r"metadata\.name"):
        parse_rules([("f.yaml", {"kind": "DriftPolicy", "metadata": metadata})])


def test_two_policies_of_one_name_are_an_error() -> None:
    document = {"kind": "DriftPolicy", "metadata": {"name": "p"}}
    with pytest.raises(UsageError, match="defined twice"):
        parse_rules([("a", document), ("b", document)])


@pytest.mark.parametrize("kind", RULE_KINDS)
def test_a_misspelt_list_of_rules_is_no_empty_one(kind: str) -> None:
    with pytest.raises(UsageError, match="unknown field 'rule'"):
        parse_rules([("f.yaml", {"apiVersion": "setscrew.dev/v1alpha1", "kind": kind, "rule": []})])


def test_defaults_are_the_strict_ones() -> None:
    one = policy()
    assert (one.action, one.undeclared, one.undecidable) == ("Deny", "Deny", "Deny")
    assert (one.fragment, one.exclusive) == (False, False)
    assert one.match == (Match(),)


def test_shipped_policies_guard_everything_and_gpu_classes_exclusively() -> None:
    built = builtin_rules()
    assert policy_for(built.policies, WEB, "any", {}) is not None
    device = policy_for(built.policies, ObjectRef("resource.k8s.io", "DeviceClass", "", "g"), "any", {})
    assert device is not None
    assert (device.exclusive, device.failure_policy) == (True, "Fail")


def test_every_shipped_rule_says_why() -> None:
    built = builtin_rules()
    assert all(mask.id and mask.reason and mask.kinds and mask.paths for mask in built.masks)
    assert all(rule.key and rule.reason for rule in built.steering)
    assert all(rule.key and rule.value and rule.reason for rule in built.opt_outs)
    assert all(rule.rule and rule.to for rule in built.delegations)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({}, True),
        ({"sources": ["pay*"]}, True),
        ({"sources": ["other"]}, False),
        ({"kinds": ["apps/*"]}, True),
        ({"kinds": ["Deployment"]}, False),
        ({"namespaces": ["sh?p"]}, True),
        ({"names": ["web"], "namespaces": ["other"]}, False),
        ({"labels": {"app": "web"}}, True),
        ({"labels": {"app": "other"}}, False),
    ],
)
def test_all_fields_of_a_match_must_fit(match: Any, fits: bool) -> None:
    found = policy_for([policy(match=[match])], WEB, "payments", {"app": "web"})
    assert (found is not None) is fits


def test_the_highest_priority_wins_and_among_equals_the_strictest() -> None:
    low, high = Policy("a", priority=1), Policy("b", priority=2, action="Audit")
    warn = Policy("0", priority=2, action="Warn")
    assert policy_for([low, high], WEB, "s", {}) is high
    assert policy_for([high, warn, low], WEB, "s", {}) is warn
    assert strictest([high, warn, low]) is low
    assert strictest([]) is None


def test_a_stray_object_is_taken_in_by_kind_and_names_alone() -> None:
    one = policy(match=[{"kinds": ["apps/Deployment"], "namespaces": ["shop"], "sources": ["x"], "labels": {"a": "b"}}])
    assert takes_in(one, WEB)
    assert not takes_in(one, WEB._replace(namespace="other"))
    assert not takes_in(one, WEB._replace(kind="DaemonSet"))


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [("*", True), ("apps/Deployment", True), ("apps/*", True), ("Deployment", False), ("/Deployment", False)],
)
def test_kinds_are_named_with_their_group(pattern: str, fits: bool) -> None:
    assert kind_matches(pattern, "apps", "Deployment") is fits
    assert kind_matches("/ConfigMap", "", "ConfigMap")


def test_rules_of_lists_are_read() -> None:
    assert rules("ListRules", id="r", kinds=["Pod"], paths=["/spec/x"], meaning="set").lists[0].meaning == "set"
    assert rules("MaskRules", id="r", kinds=["*"], paths=["{replicas}"], allocated=True).masks[0].allocated
    found = parse_rules([("f", {"kind": "SteeringRules", "optOuts": [{"key": "k", "value": "v", "reason": "r"}]})])
    assert (found.opt_outs[0].key, found.opt_outs[0].value) == ("k", "v")


@pytest.mark.parametrize("value", ["{owner}", "{adopter.__class__}", "{", "{0}", "{}"])
def test_a_mark_is_made_of_what_is_known_of_source_and_object(value: str) -> None:
    with pytest.raises(UsageError, match="value: "):
        rules("SteeringRules", key="k", value=value)
    assert rules("SteeringRules", key="k", value="{adopter}:{group}/{kind}").steering[0].value
