"""Owns the ValidatingWebhookConfiguration as a value: from guarded kinds and policies to the document. Pure.

One entry per group and version (and failure policy), the version in its path: with `matchPolicy: Equivalent` the API
server converts a request to the version that the entry names, and the entry judges what Git declares in that version.
Entries of one kind never overlap. CONNECT is in no rule: exec, attach and proxy do not change configuration. Every
field is written out with the API server's default, so that a document read back equals the one sent. The guard's own
kinds are always in it: rules for a group that is not served harm nobody.

A namespace where an entry guards nothing is left out by its namespaceSelector, on the label that the API server itself
sets; a kind that is guarded in fewer namespaces than its entry, by a condition.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.limits import (
    REGISTRATION_BYTES,
    REGISTRATION_CONDITION_CHARS,
    REGISTRATION_CONDITIONS,
    WEBHOOK_TIMEOUT_SECONDS,
)
from reconciler.model.own import ENTRY_SUFFIX, REGISTRATION
from reconciler.model.ref import KindInfo
from reconciler.policy.model import Policy
from webhook.registration.client import Client
from webhook.registration.conditions import (
    METADATA_CHANGED,
    PEOPLE,
    Condition,
    named,
    named_after,
    not_canonicalizer,
    only_in,
)
from webhook.registration.places import SYSTEM_NAMESPACES, Guarded, Place, distinct, joined
from webhook.registration.plan import DEFINITIONS, Asked, Entry, Plan, definitions_of, groups_of, planned

_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class _Context:
    client: Client
    ca_bundle: bytes
    canonicalizer_user: str
    quiet_namespaces: tuple[str, ...]
    plan: Plan
    conditions: bool


def build(
    guarded: Iterable[Guarded | tuple[KindInfo, Policy]],
    client: Client,
    ca_bundle: bytes,
    canonicalizer_user: str,
    *,
    resources_present: Mapping[str, Collection[str]] | None = None,
    own_namespace: str = "",
) -> dict[str, Any]:
    """The document for what is `guarded` (repeats are fine, order does not matter).

    `ca_bundle` is PEM. `resources_present` maps an apiVersion to what discovery lists there (`deployments/scale`), and
    adds to the subresources that each KindInfo names. Pods of `own_namespace` are left alone like those of the system.
    A document that would be larger than REGISTRATION_BYTES leaves namespaces unnamed. Raises UsageError without a CA.
    """
    if _CERTIFICATE not in ca_bundle:
        raise UsageError("the CA bundle holds no certificate", where="registration", hint="no call could be verified")
    found = distinct(guarded)
    quiet = tuple(sorted({*SYSTEM_NAMESPACES, own_namespace} - {""}))
    document: dict[str, Any] = {}
    for conditions, somewhere in ((True, found), (False, found), (False, [one._replace(place=None) for one in found])):
        plan = planned(somewhere, resources_present or {}, quiet)
        context = _Context(client, ca_bundle, canonicalizer_user, quiet, plan, conditions)
        document = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": REGISTRATION, "labels": {"app.kubernetes.io/name": REGISTRATION}},
            "webhooks": [_webhook(entry, plan.asked[entry], context) for entry in sorted(plan.asked)],
        }
        if len(json.dumps(document, separators=(",", ":"))) <= REGISTRATION_BYTES:
            break
    return document


def _webhook(entry: Entry, asked: Mapping[Asked, Place], context: _Context) -> dict[str, Any]:
    group = entry.group or "core"
    words = [group, entry.version, entry.part, "fail" if entry.failure == "Fail" else ""]
    return {
        "name": f"{'-'.join(word for word in words if word)}{ENTRY_SUFFIX}",
        "clientConfig": context.client.config(f"/validate/{group}/{entry.version}", context.ca_bundle),
        "rules": _rules(entry, asked),
        "failurePolicy": entry.failure,
        "matchPolicy": "Equivalent",
        "namespaceSelector": _selector(entry, asked, context.quiet_namespaces),
        "objectSelector": {},
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": WEBHOOK_TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
        "matchConditions": [*_who(entry, context), *(_where(asked) if context.conditions else ())],
    }


def _rules(entry: Entry, asked: Iterable[Asked]) -> list[dict[str, Any]]:
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in sorted(asked):
        together.setdefault((one.scope, one.operations), []).append(one.resource)
    return [
        {
            "apiGroups": [entry.group],
            "apiVersions": [entry.version],
            "operations": list(operations),
            "resources": resources,
            "scope": scope,
        }
        for (scope, operations), resources in sorted(together.items())
    ]


def _who(entry: Entry, context: _Context) -> list[Condition]:
    """Whose writes, and which, whatever their namespace."""
    conditions = [not_canonicalizer(context.canonicalizer_user)]
    if entry.part.endswith("status"):
        conditions.append(METADATA_CHANGED)
    if entry.part.endswith("derived"):
        conditions.append(PEOPLE)
    if entry.part == "definitions":
        held = definitions_of(context.plan) if entry.group == DEFINITIONS.group else groups_of(context.plan)
        conditions.append(named(held) if entry.group == DEFINITIONS.group else named_after(held))
    return conditions


def _where(asked: Mapping[Asked, Place]) -> list[Condition]:
    """Kinds that are guarded in fewer namespaces than their entry; the fewest come first."""
    whole, left = _union(asked), REGISTRATION_CONDITION_CHARS
    kinds: dict[frozenset[str], set[str]] = {}
    for one, place in asked.items():
        if place is not None and place != whole:
            kinds.setdefault(place, set()).add(one.kind)
    conditions: list[Condition] = []
    for place in sorted(kinds, key=lambda place: (len(place), sorted(kinds[place])))[:REGISTRATION_CONDITIONS]:
        expression = only_in(kinds[place], place)
        left -= len(expression)
        if left >= 0:
            conditions.append({"name": f"namespaces-{len(conditions) + 1}", "expression": expression})
    return conditions


def _selector(entry: Entry, asked: Mapping[Asked, Place], quiet: tuple[str, ...]) -> dict[str, Any]:
    whole = _union(asked)
    if whole:
        return _labelled("In", whole)
    return _labelled("NotIn", quiet) if entry.part.startswith("pods") else {}


def _union(asked: Mapping[Asked, Place]) -> Place:
    """All namespaces of an entry. A selector skips no cluster-scoped object, a Namespace excepted."""
    return joined(*(place for one, place in asked.items() if one.selected))


def _labelled(operator: str, namespaces: Iterable[str]) -> dict[str, Any]:
    values = sorted(namespaces)
    return {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": operator, "values": values}]}
