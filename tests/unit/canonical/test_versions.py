"""Owns what one version of a DRA or Kueue object says in another one."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.canonical.engine import Context, NotServedError, canonicalize, located
from reconciler.canonical.versions import converted, raised
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import KindInfo
from reconciler.schema.catalog import Catalog
from reconciler.schema.openapi import UNTYPED
from reconciler.schema.types import TypeNode
from tests.support.decisions import KEY, builtin_rules

ASKED = {"deviceClassName": "gpu.nvidia.com", "count": 2, "adminAccess": False}
OLD_CLAIM = {"devices": {"requests": [{"name": "gpu", **ASKED}, {"name": "any", "firstAvailable": [ASKED]}]}}
NEW_CLAIM = {"devices": {"requests": [{"name": "gpu", "exactly": ASKED}, {"name": "any", "firstAvailable": [ASKED]}]}}
OLD_SLICE = {"devices": [{"name": "gpu-0", "basic": {"capacity": {"memory": {"value": "80Gi"}}}}]}
NEW_SLICE = {"devices": [{"name": "gpu-0", "capacity": {"memory": {"value": "80Gi"}}}]}
DRA, KUEUE = "resource.k8s.io", "kueue.x-k8s.io"
BOTH_WAYS = [
    (DRA, "ResourceClaim", "v1beta1", OLD_CLAIM, "v1", NEW_CLAIM),
    (DRA, "ResourceClaimTemplate", "v1beta1", {"spec": OLD_CLAIM}, "v1beta2", {"spec": NEW_CLAIM}),
    (DRA, "ResourceSlice", "v1beta1", OLD_SLICE, "v1", NEW_SLICE),
    (DRA, "ResourceClaim", "v1beta2", NEW_CLAIM, "v1", NEW_CLAIM),
    (DRA, "DeviceClass", "v1beta1", {"selectors": []}, "v1", {"selectors": []}),
    (KUEUE, "ClusterQueue", "v1beta1", {"cohort": "all"}, "v1beta2", {"cohortName": "all"}),
    (KUEUE, "ResourceFlavor", "v1beta1", {"nodeLabels": {"a": "b"}}, "v1beta2", {"nodeLabels": {"a": "b"}}),
    (
        KUEUE,
        "MultiKueueCluster",
        "v1beta1",
        {"kubeConfig": {"location": "far", "locationType": "Secret"}},
        "v1beta2",
        {"clusterSource": {"kubeConfig": {"location": "far", "locationType": "Secret"}}},
    ),
]
UP_ONLY = [
    ("ClusterQueue", {"admissionChecks": []}, {}),
    ("ClusterQueue", {"admissionChecks": ["a"]}, {"admissionChecksStrategy": {"admissionChecks": [{"name": "a"}]}}),
    (
        "ClusterQueue",
        {"flavorFungibility": {"whenCanBorrow": "Borrow", "whenCanPreempt": "Preempt", "preference": None}},
        {
            "flavorFungibility": {
                "whenCanBorrow": "MayStopSearch",
                "whenCanPreempt": "MayStopSearch",
                "preference": None,
            }
        },
    ),
    ("AdmissionCheck", {"controllerName": "a", "retryDelayMinutes": 15}, {"controllerName": "a"}),
    (
        "MultiKueueCluster",
        {"kubeConfig": {"location": "", "locationType": "Secret"}, "clusterProfileRef": {"name": "far"}},
        {"clusterSource": {"clusterProfileRef": {"name": "far"}}},
    ),
]


def made(version: str, kind: str, spec: Any) -> Any:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "labels": {"b": "c"}}, "spec": spec}


@pytest.mark.parametrize(("group", "kind", "old", "before", "new", "after"), BOTH_WAYS)
def test_both_versions_say_the_same(group: str, kind: str, old: str, before: Any, new: str, after: Any) -> None:
    older, newer = made(f"{group}/{old}", kind, before), made(f"{group}/{new}", kind, after)
    assert converted(older, f"{group}/{new}") == newer
    assert converted(newer, f"{group}/{old}") == older


@pytest.mark.parametrize(("kind", "before", "after"), UP_ONLY)
def test_what_kueue_makes_of_old_fields(kind: str, before: Any, after: Any) -> None:
    assert converted(made(f"{KUEUE}/v1beta1", kind, before), f"{KUEUE}/v1beta2")["spec"] == after


def test_nobody_guesses_how_other_kinds_and_versions_are_converted() -> None:
    assert converted(made("apps/v1beta1", "Deployment", {}), "apps/v1") is None
    assert converted(made(f"{DRA}/v1alpha3", "ResourceClaim", {}), f"{DRA}/v1") is None
    assert converted(made(f"{DRA}/v1beta1", "ResourceClaim", {}), f"{KUEUE}/v1beta1") is None
    assert converted(made("apps/v1", "Deployment", {}), "apps/v1") is None


def test_of_two_versions_the_newer_one_counts() -> None:
    old, new = made(f"{DRA}/v1beta1", "ResourceClaim", OLD_CLAIM), made(f"{DRA}/v1", "ResourceClaim", NEW_CLAIM)
    assert raised(old, new) == new
    assert raised(new, old) is new
    assert converted(new, f"{DRA}/v1") is new


@pytest.mark.parametrize("spec", [None, "text", [], {"devices": None}, {"devices": {"requests": {"a": 1}}}, 7, {1: 2}])
@pytest.mark.parametrize("kind", ["ResourceClaim", "ResourceSlice", "ResourceClaimTemplate"])
def test_what_is_no_claim_is_converted_all_the_same(kind: str, spec: Any) -> None:
    tree = made(f"{DRA}/v1beta1", kind, spec)
    assert converted(tree, f"{DRA}/v1") == {**tree, "apiVersion": f"{DRA}/v1"}


@pytest.mark.parametrize("tree", [None, [], {}, {"apiVersion": 1}, {"apiVersion": f"{DRA}/v1beta1", "kind": []}])
def test_what_is_no_object_is_not(tree: Any) -> None:
    assert converted(tree, f"{DRA}/v1") is None


class Serves:
    """A cluster that serves claims in some versions."""

    def __init__(self, *versions: str) -> None:
        self._kinds = {
            (DRA, one, "ResourceClaim"): KindInfo(DRA, one, "ResourceClaim", "resourceclaims", namespaced=True)
            for one in versions
        }

    def kinds(self) -> dict[tuple[str, str, str], KindInfo]:
        return self._kinds

    def kind(self, group: str, version: str, kind: str) -> KindInfo | None:
        return self._kinds.get((group, version, kind))

    def types(self, *_: str) -> TypeNode:
        return UNTYPED


def on(*versions: str) -> Context:
    """Where a cluster serves these versions, and the packaged table knows all of them."""
    everything = Serves("v1beta1", "v1beta2", "v1")
    return Context(Catalog((Serves(*versions), everything), builtin_rules()), builtin_rules(), KEY)


def claim(version: str, spec: Any) -> RenderedObject:
    return RenderedObject(made(f"{DRA}/{version}", "ResourceClaim", spec), Provenance("shop", "", "claim.yaml", 3))


def test_a_version_that_the_cluster_no_longer_serves_is_judged_in_one_that_it_does() -> None:
    settled, kind = located(claim("v1beta1", OLD_CLAIM), on("v1"))
    assert (kind.version, settled.written_as, settled.tree["spec"]) == ("v1", f"{DRA}/v1beta1", NEW_CLAIM)
    form = canonicalize(claim("v1beta1", OLD_CLAIM), on("v1"))
    assert (form.kind.version, form.want["spec"]) == ("v1", NEW_CLAIM)
    assert form.notes == (f"{DRA}/v1beta1 is no longer served: judged as {DRA}/v1",)


def test_a_version_that_the_cluster_serves_is_left_alone() -> None:
    settled, kind = located(claim("v1beta1", OLD_CLAIM), on("v1", "v1beta1"))
    assert (kind.version, settled.written_as, settled.tree["spec"]) == ("v1beta1", "", OLD_CLAIM)


def test_a_cluster_that_serves_none_is_not_asked_for_another() -> None:
    assert located(claim("v1beta1", OLD_CLAIM), on())[1].version == "v1beta1"


def test_a_version_that_nobody_can_convert_needs_migration() -> None:
    with pytest.raises(NotServedError, match="the manifest needs migration"):
        located(claim("v1alpha3", {}), on("v1"))
