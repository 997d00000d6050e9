"""Owns writing a person's source to the stage's cluster: what must be there first, and syncs as the GitOps identity.

Must not choose or judge anything: each sync returns kubectl's own result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from subprocess import CompletedProcess
from typing import Any, Final

from reconciler.schema.catalog import CRD
from setscrew.demo.own_source_plan import ADMISSION, NAMESPACE, Declared, Plan
from setscrew.demo.stage import Stage, dump

# `kubectl apply` keeps the whole object in an annotation, and annotations may hold 256 KiB in all.
CLIENT_SIDE_BYTES: Final = 256 * 1024
_LAST: Final = (ADMISSION, "apiregistration.k8s.io")
_MANAGER: Final = "argocd-controller"
_SERVER_SIDE: Final = ("--server-side", "--force-conflicts", f"--field-manager={_MANAGER}", "--validate=false")
Done = CompletedProcess[str]


def prepare(stage: Stage, plan: Plan) -> None:
    """Namespaces that the source names and does not bring; the canonicalizer's rights on its custom resources."""
    documents = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in plan.undeclared_namespaces
    ]
    if plan.custom_groups:
        documents.append(_custom_rights(plan.custom_groups))
    if documents:
        stage.plane.kubectl("apply", "--server-side", "-f", "-", input=dump(documents))


def _custom_rights(groups: tuple[str, ...]) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": "setscrew-canonicalizer-own-source",
            "labels": {"setscrew.dev/aggregate-to-canonicalizer": "true"},
        },
        "rules": [{"apiGroups": list(groups), "resources": ["*"], "verbs": ["create", "update"]}],
    }


def sync(stage: Stage, plan: Plan) -> list[Done]:
    """Apply all of it server-side: namespaces and CRDs first, until they are served; what hooks into writes last."""
    first, rest, last = _phases(plan.objects)
    done = [_apply(stage, first, *_SERVER_SIDE)] if first else []
    for one in first:
        if (one.ref.group, one.ref.kind) == CRD:
            stage.wait(f"CustomResourceDefinition {one.ref.name}", partial(_established, stage, one.ref.name))
    return done + [_apply(stage, part, *_SERVER_SIDE) for part in (rest, last) if part]


def _established(stage: Stage, name: str) -> bool:
    """Whether the API server serves it; `kubectl wait` fails on a CRD so new that it has no conditions yet."""
    conditions = '{.status.conditions[?(@.type=="Established")].status}'
    done = stage.plane.kubectl("get", "crd", name, "-o", f"jsonpath={conditions}", check=False)
    return done.stdout == "True"


def sync_client_side(stage: Stage, plan: Plan) -> tuple[list[Done], tuple[Declared, ...]]:
    """The same with plain `kubectl apply`; returns its results and the objects that are too large for it."""
    large = tuple(one for one in plan.objects if len(json.dumps(one.tree)) >= CLIENT_SIDE_BYTES)
    fitting = [one for one in plan.objects if one not in large]
    return [_apply(stage, part) for part in _phases(fitting) if part], large


def _phases(objects: Iterable[Declared]) -> tuple[list[Declared], list[Declared], list[Declared]]:
    first: list[Declared] = []
    rest: list[Declared] = []
    last: list[Declared] = []
    for one in objects:
        place = (one.ref.group, one.ref.kind)
        (first if place in (NAMESPACE, CRD) else last if one.ref.group in _LAST else rest).append(one)
    return first, rest, last


def _apply(stage: Stage, objects: Iterable[Declared], *options: str) -> Done:
    documents = dump(one.tree for one in objects)
    return stage.plane.kubectl("apply", *options, "-f", "-", kubeconfig=stage.gitops, input=documents, check=False)
