"""Git declares DRA in a version that the API server no longer serves: it is guarded in the one that it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from setscrew.demo.stage import Stage, dump

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

_SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
_ASKED = {"deviceClassName": "premium", "count": 1}


def _class(version: str) -> dict[str, Any]:
    spec = {"selectors": [{"cel": {"expression": 'device.driver == "gpu.nvidia.com"'}}]}
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "DeviceClass",
        "metadata": {"name": "premium"},
        "spec": spec,
    }


def _template(version: str, request: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": f"resource.k8s.io/{version}",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": "big", "namespace": "shop"},
        "spec": {"spec": {"devices": {"requests": [{"name": "gpu", **request}]}}},
    }


def _fill(work: Path) -> None:
    (work / "gpu").mkdir()
    (work / "gpu" / "all.yaml").write_text(dump([_SHOP, _class("v1beta1"), _template("v1beta1", _ASKED)]))


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    with Stage({"gpu": {"path": "gpu"}}, _fill, scan_seconds=1) as one:
        live = [_SHOP, _class("v1"), _template("v1", {"exactly": _ASKED})]
        one.plane.kubectl("apply", "--server-side", "--field-manager=argocd-controller", "-f", "-", input=dump(live))
        one.start_setscrew()
        one.wait("server forms", lambda: not one.unconfirmed())
        one.wait("the guard", one.guarded)
        yield one


def report(stage: Stage) -> dict[str, Any]:
    """What is said after a first look at the cluster; before that nothing differs either."""
    found = stage.drift()
    looked = found and found["metadata"]["observedAt"]
    return found if found and looked else {"items": ["not looked yet"], "summary": {}}


def test_what_newer_versions_say_is_in_sync_and_the_version_of_git_is_named(stage: Stage) -> None:
    stage.wait("no drift", lambda: report(stage)["items"] == [])
    problems = report(stage)["summary"]["problems"]
    said = "judged as resource.k8s.io/v1, but no longer served as Git has it: resource.k8s.io/v1beta1"
    assert {one for one in problems if said in one} == {
        f"DeviceClass.resource.k8s.io premium: {said}",
        f"ResourceClaimTemplate.resource.k8s.io shop/big: {said}",
    }


def test_an_edit_is_refused_in_the_version_that_is_served(stage: Stage) -> None:
    patch = '{"spec": {"selectors": [{"cel": {"expression": "true"}}]}}'
    done = stage.plane.kubectl(
        "patch", "deviceclass", "premium", "--type=merge", "-p", patch, kubeconfig=stage.person, check=False
    )
    assert "denied the request" in done.stderr
    assert "spec.selectors" in done.stderr


def test_the_template_is_not_taken_away(stage: Stage) -> None:
    arguments = ("-n", "shop", "delete", "resourceclaimtemplate", "big")
    done = stage.plane.kubectl(*arguments, kubeconfig=stage.person, check=False)
    assert "denied the request" in done.stderr
