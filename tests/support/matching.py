"""Owns which entries of a webhook configuration match a request, as the API server reads them. Must not build any.

Only the forms of CEL that Setscrew writes for namespaces and names are understood; on the real API server the same
requests are counted in tests/integration/test_registration_reach.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_ONLY_IN = re.compile(
    r"!\(request\.resource\.resource in (\[.*?\])\) \|\| !has\(request\.namespace\) \|\| request\.namespace in (\[.*\])"
)
_NAMED = re.compile(r'!has\(request\.name\) \|\| request\.name == "" \|\| request\.name in (\[.*\])')
_AFTER = re.compile(r'!has\(request\.name\) \|\| request\.name == "" \|\| (\[.*\])\.exists\(')


@dataclass(frozen=True, slots=True)
class Asking:
    """One request; `namespace` is "" for cluster-scoped objects, Namespaces among them."""

    group: str
    version: str
    resource: str
    operation: str
    namespace: str = ""
    name: str = "x"
    subresource: str = ""


def matching(document: dict[str, Any], asking: Asking) -> list[str]:
    """Names of the entries that a person's request reaches."""
    return [webhook["name"] for webhook in document["webhooks"] if _matches(webhook, asking)]


def _matches(webhook: dict[str, Any], asking: Asking) -> bool:
    return (
        any(_by_rule(rule, asking) for rule in webhook["rules"])
        and _by_selector(webhook["namespaceSelector"], asking)
        and all(_by_condition(one["expression"], asking) for one in webhook["matchConditions"])
    )


def _by_rule(rule: dict[str, Any], asking: Asking) -> bool:
    resource = f"{asking.resource}/{asking.subresource}".strip("/")
    return (
        asking.group in rule["apiGroups"]
        and asking.version in rule["apiVersions"]
        and asking.operation in rule["operations"]
        and resource in rule["resources"]
        and rule["scope"] == ("Namespaced" if asking.namespace else "Cluster")
    )


def _by_selector(selector: dict[str, Any], asking: Asking) -> bool:
    itself = (asking.group, asking.resource) == ("", "namespaces")
    place = asking.name if itself else asking.namespace
    if not selector or not place:
        return True
    (expression,) = selector["matchExpressions"]
    assert expression["key"] == "kubernetes.io/metadata.name"
    return bool((place in expression["values"]) == (expression["operator"] == "In"))


def _by_condition(expression: str, asking: Asking) -> bool:
    if found := _ONLY_IN.fullmatch(expression):
        kinds, namespaces = map(json.loads, found.groups())
        return asking.resource not in kinds or not asking.namespace or asking.namespace in namespaces
    if found := _NAMED.fullmatch(expression):
        return asking.name in ("", *json.loads(found[1]))
    if found := _AFTER.match(expression):
        return asking.name == "" or any(asking.name.endswith(f".{group}") for group in json.loads(found[1]))
    # Whose write it is, and whether it changes metadata: a person's, and it does.
    return True
