"""What somebody has made by hand is counted as unmanaged, what nobody can declare is not."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.ref import ObjectRef
from reconciler.report.unmanaged import is_nobodys


@pytest.mark.parametrize(
    ("ref", "metadata"),
    [
        (ObjectRef("", "ConfigMap", "shop", "kube-root-ca.crt"), {}),
        (ObjectRef("", "ServiceAccount", "shop", "default"), {}),
        (ObjectRef("", "Service", "default", "kubernetes"), {}),
        (ObjectRef("", "Namespace", "", "kube-system"), {}),
        (ObjectRef("", "Namespace", "", "setscrew-system"), {}),
        (ObjectRef("", "ConfigMap", "kube-system", "coredns"), {}),
        (ObjectRef("apps", "ReplicaSet", "shop", "web-1"), {"ownerReferences": [{"kind": "Deployment"}]}),
        (ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "system:node"), {}),
        (
            ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "edit"),
            {"labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        ),
        (ObjectRef("scheduling.k8s.io", "PriorityClass", "", "system-node-critical"), {}),
        (ObjectRef("", "Secret", "shop", "sh.helm.release.v1.web.v3"), {"labels": {"owner": "helm"}}),
        (ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "setscrew-reconciler"), {}),
    ],
)
def test_what_nobody_can_declare_is_not_counted(ref: ObjectRef, metadata: dict[str, Any]) -> None:
    assert is_nobodys(ref, metadata)


@pytest.mark.parametrize(
    ("ref", "metadata"),
    [
        (ObjectRef("", "ConfigMap", "shop", "by-hand"), {}),
        (ObjectRef("", "ConfigMap", "shop", "by-hand"), {"labels": {"owner": "helm"}}),
        (ObjectRef("", "Secret", "shop", "sh.helm.release.v1.web.v3"), {"labels": {"owner": "dana"}}),
        (ObjectRef("", "ConfigMap", "shop", "system:mine"), {"labels": None, "annotations": None}),
        (ObjectRef("", "Namespace", "", "shop"), {}),
        (ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "ci-runner"), {"ownerReferences": []}),
    ],
)
def test_what_somebody_has_made_is_counted(ref: ObjectRef, metadata: dict[str, Any]) -> None:
    assert not is_nobodys(ref, metadata)
