"""Owns the objects of an installation: identity, label, and the order in which they are applied. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from reconciler.model.own import GROUP, NAMESPACE, OWN_GUARD
from reconciler.model.ref import ObjectRef, split_api_version
from reconciler.model.tree import Tree

Document = dict[str, Any]
# The field manager of all that is installed.
MANAGER: Final = "setscrew-install"
DEPLOYMENT: Final = ObjectRef("apps", "Deployment", NAMESPACE, "setscrew")
PART_OF: Final = "app.kubernetes.io/part-of"
PRODUCT: Final = "setscrew"
# On the Deployment: the version that was installed last.
VERSION: Final = f"{GROUP}/version"

_ADMISSION: Final = "admissionregistration.k8s.io"
_RBAC: Final = "rbac.authorization.k8s.io"
# Each needs only what stands before it: a policy its ConfigMap, a pod its account, a custom resource its definition.
PHASES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "namespaces": (("", "Namespace"),),
    "definitions": (("apiextensions.k8s.io", "CustomResourceDefinition"),),
    "identities": (
        ("", "ServiceAccount"),
        (_RBAC, "ClusterRole"),
        (_RBAC, "Role"),
        (_RBAC, "ClusterRoleBinding"),
        (_RBAC, "RoleBinding"),
    ),
    "settings": (("", "ConfigMap"), ("", "Secret"), ("scheduling.k8s.io", "PriorityClass")),
    "policies": ((_ADMISSION, "ValidatingAdmissionPolicy"), (_ADMISSION, "ValidatingAdmissionPolicyBinding")),
    "levers": ((GROUP, "DriftPolicy"), (GROUP, "GitSource"), (GROUP, "DriftGrant")),
    "rest": (),
    "workloads": (("apps", "Deployment"),),
    "lock": (),
}
_PLACES: Final = {
    kind: (order, place) for order, kinds in enumerate(PHASES.values()) for place, kind in enumerate(kinds)
}
_REST: Final = (tuple(PHASES).index("rest"), 0)
# By these it is known who may install: whoever names others, and not himself, must have done all else by then.
_LAST: Final = {
    ObjectRef("", "ConfigMap", NAMESPACE, OWN_GUARD): (tuple(PHASES).index("lock"), 0),
    ObjectRef(GROUP, "DriftPolicy", "", OWN_GUARD): (tuple(PHASES).index("levers"), len(PHASES["levers"])),
}


def ref_of(tree: Mapping[str, Any]) -> ObjectRef:
    """Which object it is."""
    group, _ = split_api_version(str(tree["apiVersion"]))
    metadata = tree["metadata"]
    return ObjectRef(group, str(tree["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"]))


def ordered(documents: Iterable[Document]) -> dict[str, list[Document]]:
    """The documents by phase, in the order of PHASES; a phase without documents is left out."""
    names = tuple(PHASES)
    out: dict[str, list[Document]] = {}
    for tree in sorted(documents, key=lambda tree: order(ref_of(tree))):
        out.setdefault(names[order(ref_of(tree))[0]], []).append(tree)
    return out


def is_ours(tree: Mapping[str, Any]) -> bool:
    """Whether it bears the label of an installation."""
    return bool((tree["metadata"].get("labels") or {}).get(PART_OF) == PRODUCT)


def holds_all(live: Tree, wanted: Tree) -> bool:
    """Whether an object has all that a document says of it, and maybe more."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(key in live and holds_all(live[key], one) for key, one in wanted.items())
    if isinstance(wanted, list):
        alike = isinstance(live, list) and len(live) == len(wanted)
        return alike and all(map(holds_all, live, wanted))
    return bool(live == wanted)


def containers(tree: Mapping[str, Any]) -> Iterator[Document]:
    """Those of a Pod, or of a workload's template; what begins before the others first."""
    spec = tree["spec"].get("template", tree)["spec"]
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def by_helm(tree: Mapping[str, Any] | None) -> bool:
    """Whether Helm has made it, and keeps it."""
    labels = ((tree or {}).get("metadata") or {}).get("labels") or {}
    return bool(labels.get("app.kubernetes.io/managed-by") == "Helm")


def shown(ref: ObjectRef) -> str:
    """`deployment.apps/setscrew`, as kubectl prints what it has applied; with its namespace where it has one."""
    kind = f"{ref.kind.lower()}.{ref.group}" if ref.group else ref.kind.lower()
    return f"{kind}/{ref.name} in {ref.namespace}" if ref.namespace else f"{kind}/{ref.name}"


def order(ref: ObjectRef) -> tuple[int, int]:
    """Where it stands in the order of all."""
    return _LAST.get(ref) or _PLACES.get((ref.group, ref.kind), _REST)
