"""Claims are read in one shape whatever their version, and expressions by what they read of a device."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.gpu.dra.cel import accesses, compared, drivers, tokens
from reconciler.gpu.dra.requests import opaques, requests
from reconciler.model.ref import ObjectRef
from tests.support.gpu_cases import CASES, found

CLAIM = ObjectRef("resource.k8s.io", "ResourceClaim", "tenant", "one")
TEMPLATE = ObjectRef("resource.k8s.io", "ResourceClaimTemplate", "tenant", "one")
ASKED = {"deviceClassName": "gpu.nvidia.com", "count": 2}
OLD = {"name": "gpu", **ASKED}
NEW = {"name": "gpu", "exactly": ASKED}
READ = "device.attributes['gpu.nvidia.com']"


def claim(version: str, *asked: Any) -> dict[str, Any]:
    return {"apiVersion": f"resource.k8s.io/{version}", "spec": {"devices": {"requests": list(asked)}}}


@pytest.mark.parametrize(("version", "asked"), [("v1", NEW), ("v1beta2", NEW), ("v1beta1", OLD)])
def test_a_request_of_any_version_names_its_class_and_count(version: str, asked: Any) -> None:
    (one,) = requests(CLAIM, claim(version, asked))
    assert (one.name, one.device_class, one.body["count"]) == ("gpu", "gpu.nvidia.com", 2)


@pytest.mark.parametrize(("version", "asked"), [("v1", OLD), ("v1beta1", NEW)])
def test_a_request_in_the_shape_of_another_version_asks_for_nothing(version: str, asked: Any) -> None:
    assert list(requests(CLAIM, claim(version, asked))) == []


def test_each_alternative_is_a_request_of_its_own() -> None:
    either = {"name": "gpu", "firstAvailable": [{"name": "big", **ASKED}, {"name": "small", **ASKED}]}
    assert [(one.name, one.alternative) for one in requests(CLAIM, claim("v1", either))] == [
        ("gpu/big", True),
        ("gpu/small", True),
    ]


def test_a_request_is_found_again_by_its_path() -> None:
    tree = {"apiVersion": "resource.k8s.io/v1", "spec": claim("v1", NEW)}
    (one,) = requests(TEMPLATE, tree)
    assert one.path == ("spec", "spec", "devices", "requests", 0, "exactly")


def test_configuration_is_read_where_each_kind_holds_it() -> None:
    config = [{"requests": ["gpu", 7], "opaque": {"driver": "gpu.nvidia.com", "parameters": {}}}]
    (of_claim,) = opaques(CLAIM, {"spec": {"devices": {"config": config}}})
    (of_class,) = opaques(ObjectRef("resource.k8s.io", "DeviceClass", "", "one"), {"spec": {"config": config}})
    assert of_claim.path == ("spec", "devices", "config", 0, "opaque")
    assert of_class.path == ("spec", "config", 0, "opaque")
    assert (of_claim.driver, of_claim.requests) == ("gpu.nvidia.com", ("gpu",))


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        (f"{READ}.type == 'mig'", [("gpu.nvidia.com", "type", False)]),
        (f'{READ}["type"] == "mig"', [("gpu.nvidia.com", "type", False)]),
        (f"has({READ}.type)", [("gpu.nvidia.com", "type", True)]),
        (f"{READ}.?type.orValue('') == 'mig'", [("gpu.nvidia.com", "type", True)]),
        (f"{READ}[?'type'].orValue('') == 'mig'", [("gpu.nvidia.com", "type", True)]),
        (f"'x' == '{READ.replace(chr(39), '')}.type' // {READ}.type", []),
        (f"my.{READ}.type == 'mig'", []),
        (f"{READ}.size() > 0", []),
    ],
)
def test_what_an_expression_reads_is_told_apart_from_what_it_only_mentions(expression: str, read: list[Any]) -> None:
    assert [(one.domain, one.name, one.guarded) for one in accesses(tokens(expression))] == read


@pytest.mark.parametrize(
    ("expression", "literal"),
    [
        (f"{READ}.type == 'mig'", "mig"),
        (f"'mig' == {READ}.type", "mig"),
        (f"{READ}.type != 'mig'", None),
        (f"{READ}.type == 'mi' + 'g'", None),
        (f"'mi' + 'g' == {READ}.type", None),
        (f"{READ}.type == 'MIG'.lowerAscii()", None),
        (f"'mig' == {READ}.type.lowerAscii()", None),
    ],
)
def test_only_a_whole_literal_counts_as_compared(expression: str, literal: str | None) -> None:
    found = tokens(expression)
    (one,) = accesses(found)
    assert compared(found, one.start, one.end) == literal


def test_the_drivers_of_an_expression_are_those_that_it_tests() -> None:
    assert drivers("device.driver == 'a.example.com' || \"b.example.com\" == device.driver") == {
        "a.example.com",
        "b.example.com",
    }
    assert drivers("// device.driver == 'a.example.com'\ntrue") == set()
    assert drivers("device.driver == 'a.example.com") == set()


def test_a_profile_that_no_table_has_is_a_warning_where_the_fleet_has_a_gpu_that_no_table_has() -> None:
    weights = {
        stem: {one.severity for one in found(CASES / f"{stem}.yaml") if one.rule == "DRA-12"}
        for stem in ("DRA-12.fail", "DRA-12.fail.stranger")
    }
    assert weights == {"DRA-12.fail": {"error"}, "DRA-12.fail.stranger": {"warning"}}
