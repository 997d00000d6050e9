"""Laws of versions: nothing makes a conversion raise or change what it is given; there and back again is the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.canonical.versions import converted, raised

pytestmark = pytest.mark.property

_WORDS = ["spec", "devices", "requests", "exactly", "basic", "name", "deviceClassName", "cohort", "cohortName"]
_WORDS += ["admissionChecks", "flavorFungibility", "whenCanBorrow", "kubeConfig", "clusterSource", "location"]
_KINDS = {
    "resource.k8s.io": ["DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"],
    "kueue.x-k8s.io": ["ClusterQueue", "AdmissionCheck", "MultiKueueCluster", "LocalQueue"],
}
_trees = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "Borrow", "a"])),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.sampled_from(_WORDS), below, max_size=4)),
    max_leaves=20,
)
_kinds = st.sampled_from([(group, kind) for group, kinds in _KINDS.items() for kind in kinds])
_versions = st.sampled_from(["v1beta1", "v1beta2", "v1"])
_names = st.sampled_from(["gpu", "any"])
_asked = st.fixed_dictionaries(
    {"deviceClassName": st.sampled_from(["big", "small"])},
    optional={"count": st.integers(1, 4), "allocationMode": st.just("All"), "adminAccess": st.booleans()},
)
_old_requests = st.builds(lambda name, asked: {"name": name, **asked}, _names, _asked)
_alternatives = st.builds(
    lambda name, some: {"name": name, "firstAvailable": some}, _names, st.lists(_asked, min_size=1)
)


@given(_trees, _kinds, _versions, _versions)
def test_no_tree_makes_a_conversion_raise_and_none_is_changed(
    spec: Any, kind: tuple[str, str], old: str, new: str
) -> None:
    group, name = kind
    tree = {"apiVersion": f"{group}/{old}", "kind": name, "spec": spec}
    before = copy.deepcopy(tree)
    made = converted(tree, f"{group}/{new}")
    assert tree == before
    assert made is None or made["apiVersion"] == f"{group}/{new}"
    assert raised(spec, tree) == spec


@given(st.lists(st.one_of(_old_requests, _alternatives), max_size=4), st.sampled_from(["v1beta2", "v1"]))
def test_a_claim_comes_back_as_it_went(requests: list[Any], version: str) -> None:
    claim = {
        "apiVersion": "resource.k8s.io/v1beta1",
        "kind": "ResourceClaim",
        "spec": {"devices": {"requests": requests}},
    }
    there = converted(claim, f"resource.k8s.io/{version}")
    assert there is not None
    assert converted(there, "resource.k8s.io/v1beta1") == claim
    assert {key for one in there["spec"]["devices"]["requests"] for key in one} <= {"name", "exactly", "firstAvailable"}
