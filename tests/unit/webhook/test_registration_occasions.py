"""Holds what is asked about although Git declares none of it, and where."""

from __future__ import annotations

from typing import Any

from reconciler.policy.model import Match, Policy, Rules
from reconciler.policy.occasion import settled
from tests.support.decisions import builtin_rules, snapshot
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.places import guarded_by

PEM = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def hooks(rules: Rules, *names: str) -> dict[str, dict[str, Any]]:
    """The entry of each resource."""
    guarded = guarded_by(snapshot(names).entries, rules)
    document = build(guarded, UrlClient("https://127.0.0.1:8443"), PEM, "canonicalizer")
    return {one: hook for hook in document["webhooks"] for rule in hook["rules"] for one in rule["resources"]}


def test_inventory_is_asked_about_where_git_declares_a_class_and_its_failing_call_passes() -> None:
    declared = [{"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass"}]
    found = hooks(settled(builtin_rules(), declared), "deviceclass")
    assert found["resourceslices"]["failurePolicy"] == "Ignore"
    assert found["deviceclasses"]["failurePolicy"] == "Fail"
    assert "configmaps" not in found
    assert "resourceslices" not in hooks(settled(builtin_rules(), []), "deviceclass")


def test_config_maps_are_asked_about_in_the_namespaces_of_the_policy_alone() -> None:
    config = {"migManager": {"config": {"name": "layouts"}}}
    declared = [{"apiVersion": "nvidia.com/v1", "kind": "ClusterPolicy", "spec": config}]
    selector = hooks(settled(builtin_rules(), declared))["configmaps"]["namespaceSelector"]
    assert selector["matchExpressions"][0]["values"] == ["gpu-operator", "nvidia-gpu-operator"]


def test_what_is_exclusive_anywhere_makes_no_namespace_hold_guarded_objects() -> None:
    anywhere = Policy("p", match=(Match(kinds=("scheduling.run.ai/PodGroup",)),), exclusive=True, once=("a/B",))
    found = hooks(Rules((anywhere,)))
    assert found["podgroups"]["namespaceSelector"] == {}
    assert "namespaces" not in found


def test_of_a_node_the_writes_to_its_status_that_change_metadata_are_asked_about() -> None:
    found = hooks(settled(builtin_rules(), []), "node")
    conditions = [one["name"] for one in found["nodes/status"]["matchConditions"]]
    assert "metadata-changed" in conditions
    assert {found[one]["failurePolicy"] for one in ("nodes", "nodes/status")} == {"Ignore"}
