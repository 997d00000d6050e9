"""Owns snapshots of a few bare objects, for tests of what is done with snapshots. Must not canonicalize."""

from __future__ import annotations

from reconciler.canonical.form import CanonicalObject
from reconciler.model.objects import Provenance
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.policy.model import Policy, Rules
from reconciler.snapshot.model import Entry, MemorySnapshot

_GROUPS = {"Deployment": "apps", "DeviceClass": "resource.k8s.io", "CustomResourceDefinition": "apiextensions.k8s.io"}
_CLUSTER = frozenset({"Namespace", "DeviceClass", "CustomResourceDefinition"})


def entry_of(kind: str, name: str = "one", namespace: str = "shop") -> Entry:
    """One adopted object in version v1, enforced with action Deny; `namespace` counts for namespaced kinds."""
    group, namespaced = _GROUPS.get(kind, ""), kind not in _CLUSTER
    plural = f"{kind.lower()}es" if kind.endswith("ss") else f"{kind.lower()}s"
    ref = ObjectRef(group, kind, namespace if namespaced else "", name)
    form = CanonicalObject(ref, KindInfo(group, "v1", kind, plural, namespaced), {}, {}, Provenance(source="shop"))
    return Entry(form, Policy(name="default"))


def snapshot_of(*kinds: str, names: tuple[str, ...] = ("one",)) -> MemorySnapshot:
    """An object of each kind and name."""
    return MemorySnapshot(tuple(entry_of(kind, name) for kind in kinds for name in names), Rules(()), digest="d" * 64)
