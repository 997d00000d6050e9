"""Owns the order in which an installation is taken away, and what of it is people's own. Pure.

First nothing may be refused any more, then nobody may put anything back, then goes what they needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from reconciler.model.own import (
    GROUP,
    LEASE,
    LEVERS,
    NAMESPACE,
    OWN_GUARD,
    REGISTRATION,
    SIGNING,
    SNAPSHOTS_NAMESPACE,
    TLS_SECRET,
    VALUES_SECRET,
)
from reconciler.model.ref import ObjectRef
from setscrew.installing import inventory

_ADMISSION: Final = "admissionregistration.k8s.io"
_POLICIES: Final = ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy")
NAMESPACES: Final = (SNAPSHOTS_NAMESPACE, NAMESPACE)
THE_REGISTRATION: Final = ObjectRef(_ADMISSION, "ValidatingWebhookConfiguration", "", REGISTRATION)
DEFINITIONS: Final = tuple(
    ObjectRef("apiextensions.k8s.io", "CustomResourceDefinition", "", f"{plural}.{GROUP}") for plural in LEVERS
)
# What the pods make for themselves in their namespace.
_MADE: Final = (
    ObjectRef("coordination.k8s.io", "Lease", NAMESPACE, LEASE),
    ObjectRef("", "Secret", NAMESPACE, VALUES_SECRET),
    ObjectRef("", "Secret", NAMESPACE, SIGNING),
    ObjectRef("", "Secret", NAMESPACE, TLS_SECRET),
    ObjectRef("", "ConfigMap", NAMESPACE, SIGNING),
    inventory.REF,
    # What cert-manager makes where it renews the certificate (manifests/components/cert-manager).
    ObjectRef("", "Secret", NAMESPACE, "setscrew-admission"),
    ObjectRef("", "Secret", NAMESPACE, "setscrew-authority"),
)
# What every namespace has.
_EVERYWHERE: Final = frozenset({"kube-root-ca.crt"})


@dataclass(frozen=True, slots=True)
class Step:
    """Objects that are asked to go together; the next step begins when they are gone."""

    title: str
    refs: tuple[ObjectRef, ...]


def people_have(names: Iterable[ObjectRef], known: Collection[ObjectRef]) -> list[ObjectRef]:
    """Of what is in the namespace of the pods, what people have put there: credentials of sources, rules."""
    mine = {*known, *_MADE}
    return sorted(ref for ref in names if ref not in mine and ref.name not in _EVERYWHERE)


def steps(
    known: Iterable[ObjectRef], levers: Iterable[ObjectRef], theirs: Collection[ObjectRef], *, purge: bool
) -> list[Step]:
    """What is removed, in order. `known` was installed; `levers` are all GitSources, DriftPolicies and DriftGrants.

    Without `purge` stay the definitions, the levers that people wrote, and `theirs` with their namespace.
    """
    installed = {*known, *_MADE}
    namespaces = [name for name in NAMESPACES if purge or not (theirs and name == NAMESPACE)]
    guards = [ObjectRef(_ADMISSION, kind, "", OWN_GUARD) for kind in _POLICIES]
    workloads = {ref for ref in installed if ref.kind == "Deployment"}
    policies = sorted((ref for ref in installed if ref.kind in _POLICIES), key=lambda ref: _POLICIES.index(ref.kind))
    ours = {ref for ref in installed if ref.group == GROUP}
    apart = {*guards, *workloads, *policies, *ours, *DEFINITIONS, THE_REGISTRATION}
    apart |= {ref for ref in installed if ref.kind == "Namespace" or ref.namespace in namespaces}
    planned = (
        ("what guards Setscrew itself", guards),
        ("the pods", workloads),
        ("configuration", {*ours, *levers} if purge else ours),
        ("definitions", DEFINITIONS if purge else ()),
        ("rights and services", installed - apart),
        ("what holds our identities", [ref for ref in policies if ref not in guards]),
        ("the registration", [THE_REGISTRATION]),
        ("namespaces", [ObjectRef("", "Namespace", "", name) for name in namespaces]),
    )
    return [Step(title, tuple(refs if isinstance(refs, list) else sorted(refs))) for title, refs in planned if refs]
