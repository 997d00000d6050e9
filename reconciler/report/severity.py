"""Owns how bad a finding is: tables of kinds and of fields, each row with its reason. Pure.

The worst of what differs counts. A row says what somebody gains or loses by the change, not how likely it is meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from reconciler.model.path import unescaped
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.model import Rules
from reconciler.policy.select import any_kind
from reconciler.policy.steering import steering_rule
from reconciler.report.drift import SEVERITIES, DriftChange, DriftItem, Severity

Told = tuple[Severity, str]


@dataclass(frozen=True, slots=True)
class KindRow:
    """How bad it is that the content of such an object differs."""

    severity: Severity
    kinds: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """How bad a change is at or below a field of one of these names. `on`: only where the live value is set."""

    severity: Severity
    names: frozenset[str]
    reason: str
    on: bool = False


KINDS: Final = (
    KindRow("critical", ("setscrew.dev/*",), "steers the guard itself"),
    KindRow("critical", ("admissionregistration.k8s.io/*",), "decides what is admitted, or changes it on its way in"),
    KindRow("critical", ("rbac.authorization.k8s.io/ClusterRole*",), "who may do what in the whole cluster"),
    KindRow("high", ("rbac.authorization.k8s.io/*",), "who may do what in the namespace"),
    KindRow(
        "high",
        ("apiextensions.k8s.io/CustomResourceDefinition", "apiregistration.k8s.io/APIService"),
        "what the API server serves and keeps",
    ),
    KindRow("high", ("*/*NetworkPolicy", "*/*NetworkPolicies"), "who may talk to whom"),
    KindRow("high", ("node.k8s.io/RuntimeClass",), "with which rights Pods run"),
    KindRow("high", ("Secret",), "credentials"),
)
FIELDS: Final = (
    FieldRow(
        "critical",
        frozenset({"privileged", "hostNetwork", "hostPID", "hostIPC", "hostPath", "adminAccess"}),
        "opens the node, or devices of others",
        on=True,
    ),
    FieldRow("high", frozenset({"image", "command", "args"}), "which code runs"),
    FieldRow(
        "high",
        frozenset({"securityContext", "automountServiceAccountToken", "serviceAccountName", "serviceAccount"})
        | {"runtimeClassName", "hostUsers", "hostNetwork", "hostPID", "hostIPC", "hostPath", "adminAccess"},
        "with which rights it runs",
    ),
    FieldRow("high", frozenset({"externalIPs", "loadBalancerSourceRanges"}), "who can reach it"),
)
# What an object of these holds is data under names of its owner's own.
_DATA_KINDS: Final = ("ConfigMap", "Secret")
_KINDS_KEPT: Final = 1_024
_LIFE: Final = frozenset({"finalizers", "ownerReferences"})
_GPU: Final[dict[str, Told]] = {
    "live": ("critical", "a GPU class is another one at once"),
    "latent": ("high", "a GPU class is another one at the next start"),
    "none": ("medium", "what is reported of GPUs"),
}
_NOT_THERE: Final[Told] = ("high", "Git declares it, and it is not there")
_STRAY: Final[Told] = ("high", "Git alone declares objects of this kind, and not this one")
_ORPHANED: Final[Told] = ("medium", "Git declares it no longer, so nobody looks after it")
_UNKNOWN: Final[Told] = ("medium", "whether it differs is not known")
_CONTENT: Final[Told] = ("medium", "content that Git declares")
_METADATA: Final[Told] = ("low", "labels and annotations")
_NOTHING: Final[Told] = ("info", "as Git says")


def severity_of(item: DriftItem, rules: Rules) -> Told:
    """How bad the finding is, and why."""
    if item.state == "in-sync":
        return _NOTHING
    if item.state == "unknown":
        return _UNKNOWN
    if item.state == "orphaned" and item.severity_reason:
        return item.severity, item.severity_reason  # Git itself says that it stays
    kind = item.group, item.kind
    whole = {"missing": _NOT_THERE, "extra": _STRAY, "orphaned": _ORPHANED}.get(item.state)
    found = (
        {whole, _of_kind(*kind)} if whole else {told for one in item.changes for told in _of_change(kind, one, rules)}
    )
    if item.gpu:
        found.add(_GPU.get(str(item.gpu.get("effect")), _GPU["live"]))
    worst = min(filter(None, found), key=lambda told: (SEVERITIES.index(told[0]), told[1]), default=_CONTENT)
    # What an orphan does, it did while Git declared it.
    return ("high", worst[1]) if item.state == "orphaned" and worst[0] == "critical" else worst


@lru_cache(_KINDS_KEPT)
def _of_kind(group: str, kind: str) -> Told | None:
    row = next((row for row in KINDS if any_kind(row.kinds, group, kind)), None)
    if row is not None:
        return row.severity, row.reason
    return _CONTENT if any_kind(_DATA_KINDS, group, kind) else None


def _of_change(kind: tuple[str, str], change: DriftChange, rules: Rules) -> Iterator[Told]:
    place = tuple(unescaped(token) for token in change.path.split("/")[1:])
    if place[:1] == ("metadata",):
        leaves = {leaf for side in (change.desired, change.live) for leaf, _ in _leaves(place, side)}
        return (_of_metadata(kind, leaf, rules) for leaf in leaves)
    if (told := _of_kind(*kind)) is not None:
        return iter((told,))
    gone = ((leaf, ABSENT) for leaf, _ in _leaves(place, change.desired))
    return (_of_content(leaf, live) for leaf, live in (*gone, *_leaves(place, change.live)))


def _of_metadata(kind: tuple[str, str], leaf: tuple[str, ...], rules: Rules) -> Told:
    field, key = leaf[1:2], leaf[2] if len(leaf) > 2 else ""
    if field and field[0] in _LIFE:
        return "high", "when and by whom it is deleted"
    rule = steering_rule(rules.steering, *kind, key)
    return ("high", rule.reason) if rule else _METADATA


def _of_content(leaf: tuple[str, ...], live: Tree) -> Told:
    for row in FIELDS:
        if not row.names.isdisjoint(leaf) and not (row.on and (live is ABSENT or not live)):
            return row.severity, row.reason
    return _CONTENT


def _leaves(place: tuple[str, ...], value: Tree) -> Iterator[tuple[tuple[str, ...], Tree]]:
    """Each value at and below `place`, with its place; values of findings are cut, so they are few."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not pairs:
        yield place, value
    for key, inner in pairs:
        yield from _leaves((*place, str(key)), inner)
