"""Owns drifts of every class as people make them: what is written, and what a report must say of it. Must not judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from jsonpointer import JsonPointer

from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree

JSON_PATCH: Final = "application/json-patch+json"
BY_HAND: Final = "by-hand"
Step = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Drift:
    """One write to one object. `step` is of RFC 6902, and says where the report must show it; None deletes."""

    klass: str
    ref: ObjectRef
    kind: KindInfo
    step: Step | None

    @property
    def state(self) -> str:
        """What the report must call it."""
        return "missing" if self.step is None else "drifted"


@dataclass(frozen=True, slots=True)
class Object:
    """An object as the cluster holds it, and as Git declares it."""

    ref: ObjectRef
    kind: KindInfo
    live: Tree
    declared: Tree


Maker = Callable[[Object], Drift | None]


def _step(op: str, *path: str | int, value: Any = None) -> Step:
    return {"op": op, "path": JsonPointer.from_parts(path).path} | ({} if op == "remove" else {"value": value})


def _one(klass: str, one: Object, step: Step) -> Drift:
    return Drift(klass, one.ref, one.kind, step)


def _at(tree: Tree, *path: str | int) -> Any:
    for part in path:
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def value_changed(one: Object) -> Drift | None:
    """A value of a ConfigMap."""
    key = next(iter(sorted(_at(one.declared, "data") or {})), None) if one.kind.kind == "ConfigMap" else None
    return None if key is None else _one("value-changed", one, _step("replace", "data", key, value=BY_HAND))


def key_added(one: Object) -> Drift | None:
    """A key of a ConfigMap that Git does not have."""
    if one.kind.kind != "ConfigMap" or not _at(one.declared, "data"):
        return None
    return _one("key-added", one, _step("add", "data", BY_HAND, value="1"))


def key_removed(one: Object) -> Drift | None:
    """A key of a ConfigMap that Git has."""
    keys = sorted(_at(one.declared, "data") or {}) if one.kind.kind == "ConfigMap" else []
    return _one("key-removed", one, _step("remove", "data", keys[-1])) if len(keys) > 1 else None


def secret_changed(one: Object) -> Drift | None:
    """The bytes of a Secret."""
    keys = sorted(_at(one.live, "data") or {}) if one.kind.kind == "Secret" else []
    declared = {**(_at(one.declared, "data") or {}), **(_at(one.declared, "stringData") or {})}
    if not keys or keys[0] not in declared:
        return None
    return _one("secret-changed", one, _step("replace", "data", keys[0], value="cGxhbnRlZC1ieS1oYW5k"))


_POD: Final = ("spec", "template", "spec")


def image_changed(one: Object) -> Drift | None:
    """The image of a workload's first container."""
    if one.kind.kind not in ("Deployment", "DaemonSet", "StatefulSet"):
        return None
    return _one("image", one, _step("replace", *_POD, "containers", 0, "image", value="registry.example.com/other:1"))


def container_added(one: Object) -> Drift | None:
    """A container that Git does not have."""
    there = _at(one.live, *_POD, "containers")
    if one.kind.kind not in ("Deployment", "DaemonSet") or not there:
        return None
    value = {"name": BY_HAND, "image": "registry.example.com/miner:1"}
    return _one("container-added", one, _step("add", *_POD, "containers", len(there), value=value))


def scaled(one: Object) -> Drift | None:
    """The replicas of a Deployment whose number Git has."""
    number = _at(one.declared, "spec", "replicas")
    if one.kind.kind != "Deployment" or number is None:
        return None
    return _one("scaled", one, _step("replace", "spec", "replicas", value=number + 3))


def default_overridden(one: Object) -> Drift | None:
    """A default that nobody has declared, with another value."""
    if one.kind.kind != "Deployment" or _at(one.declared, "spec", "revisionHistoryLimit") is not None:
        return None
    return _one("default-overridden", one, _step("replace", "spec", "revisionHistoryLimit", value=1))


def port_changed(one: Object) -> Drift | None:
    """Where the first port of a Service leads."""
    if one.kind.kind != "Service" or not _at(one.live, "spec", "ports"):
        return None
    return _one("port", one, _step("replace", "spec", "ports", 0, "targetPort", value=4711))


def selector_widened(one: Object) -> Drift | None:
    """A key more in the selector of a Service."""
    if one.kind.kind != "Service" or not _at(one.declared, "spec", "selector"):
        return None
    return _one("selector", one, _step("add", "spec", "selector", BY_HAND, value="1"))


def rule_added(one: Object) -> Drift | None:
    """A right more in a role."""
    rules = _at(one.live, "rules")
    if one.kind.kind not in ("Role", "ClusterRole") or not rules:
        return None
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    return _one("rule-added", one, _step("add", "rules", len(rules), value=rule))


def subject_added(one: Object) -> Drift | None:
    """One more to whom a role is given."""
    subjects = _at(one.live, "subjects")
    if one.kind.kind not in ("RoleBinding", "ClusterRoleBinding") or not subjects:
        return None
    subject = {"kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"}
    return _one("subject-added", one, _step("add", "subjects", len(subjects), value=subject))


def token_not_mounted(one: Object) -> Drift | None:
    """What Git leaves to the default, set on a ServiceAccount.

    Where whoever applies it owns no field, the API server keeps no managers at all.
    """
    managed = _at(one.live, "metadata", "managedFields")
    if one.kind.kind != "ServiceAccount" or not managed or "automountServiceAccountToken" in one.declared:
        return None
    return _one("field-added", one, _step("add", "automountServiceAccountToken", value=False))


# Others of this prefix are marks of the tool that applies the object.
_LABELS: Final = {"app.kubernetes.io/component", "app.kubernetes.io/name", "app.kubernetes.io/part-of"}


def label_changed(one: Object) -> Drift | None:
    """The value of a label that Git declares."""
    free = sorted(_LABELS & (_at(one.declared, "metadata", "labels") or {}).keys())
    return _one("label", one, _step("replace", "metadata", "labels", free[0], value=BY_HAND)) if free else None


def label_removed(one: Object) -> Drift | None:
    """A label that Git declares, taken away."""
    free = sorted(_LABELS & (_at(one.declared, "metadata", "labels") or {}).keys())
    return _one("label-removed", one, _step("remove", "metadata", "labels", free[-1])) if free else None


_DELETED: Final = ("ConfigMap", "Service", "Role", "RoleBinding", "Deployment", "PriorityClass", "ClusterRole")


def deleted(one: Object) -> Drift | None:
    """All of it."""
    return Drift("deleted", one.ref, one.kind, None) if one.kind.kind in _DELETED else None


MAKERS: Final[tuple[Maker, ...]] = (
    value_changed,
    key_added,
    key_removed,
    secret_changed,
    image_changed,
    container_added,
    scaled,
    default_overridden,
    port_changed,
    selector_widened,
    rule_added,
    subject_added,
    token_not_mounted,
    label_changed,
    label_removed,
    deleted,
)


def drifts(objects: list[Object], count: int) -> list[Drift]:
    """`count` drifts, one an object, all classes in turn as long as there are objects for them.

    Raises ValueError where there are too few objects.
    """
    chosen = dict[ObjectRef, Drift]()
    turns = [_turn(maker, objects, chosen) for maker in MAKERS]
    while len(chosen) < count:
        made = [drift for turn in turns if (drift := next(turn, None)) and len(chosen) < count and _keep(chosen, drift)]
        if not made:
            raise ValueError(f"{len(objects)} objects give only {len(chosen)} drifts of {count}")
    return list(chosen.values())


def _turn(maker: Maker, objects: list[Object], chosen: dict[ObjectRef, Drift]) -> Iterator[Drift]:
    for one in objects:
        if one.ref not in chosen and (drift := maker(one)):
            yield drift


def _keep(chosen: dict[ObjectRef, Drift], drift: Drift) -> bool:
    chosen[drift.ref] = drift
    return True
