"""Holds that definitions which cannot be read, or go all at once, are taken as they were."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cluster.definitions import Definitions, is_definition, served
from reconciler.errors import ApiError
from reconciler.limits import ADOPT_SECONDS
from reconciler.model.ref import KindInfo

APPLICATION = KindInfo("argoproj.io", "v1alpha1", "Application", "applications", True)
RELEASES = [
    KindInfo("helm.toolkit.fluxcd.io", version, "HelmRelease", "helmreleases", True) for version in ("v2beta2", "v2")
]
KINDS = {(kind.group, kind.version, kind.kind): kind for kind in (APPLICATION, *RELEASES)}


def tree(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "argocd", "resourceVersion": "7", "labels": {"a": "b"}}
    return {"metadata": metadata, "spec": spec, "status": {"sync": "never the same"}}


class Client:
    """Lists what is in `objects` by resource, or fails with `status`."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.status = 0

    def request(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        assert method == "GET"
        if self.status and path.endswith("applications"):
            raise ApiError("no", status=self.status)
        return {"items": self.objects.get(path.rpartition("/")[2], [])}


@pytest.fixture
def client() -> Client:
    found = Client()
    found.objects = {"applications": [tree("b"), tree("a")]}
    return found


def names(definitions: Definitions, now: float, kinds: Any = None) -> list[str]:
    return [one["metadata"]["name"] for one in definitions.read(KINDS if kinds is None else kinds, now)]


def of(client: Any) -> Definitions:
    found = Definitions(client)
    assert names(found, 0) == ["a", "b"]
    assert found.problems == ()
    return found


def test_only_what_somebody_wants_is_kept_of_a_definition(client: Any) -> None:
    first = of(client).read(KINDS, 0)[0]
    assert first == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "a", "namespace": "argocd", "labels": {"a": "b"}},
        "spec": {},
    }


def test_the_best_version_that_is_served_is_read() -> None:
    assert [kind.version for kind in served(KINDS)] == ["v1alpha1", "v2"]
    assert is_definition("argoproj.io", "Application")
    assert not is_definition("argoproj.io", "AppProject")


@pytest.mark.parametrize("status", [403, 404, 500])
def test_what_cannot_be_read_holds_as_before(client: Any, status: int) -> None:
    found = of(client)
    client.status = status
    assert names(found, 1000) == ["a", "b"]
    assert len(found.problems) == 1


def test_a_kind_that_is_served_no_longer_holds_as_before(client: Any) -> None:
    found = of(client)
    assert names(found, 1000, {}) == ["a", "b"]
    assert "not served any more" in found.problems[0]


def test_one_that_is_removed_is_gone(client: Any) -> None:
    found = of(client)
    client.objects["applications"].pop()
    assert names(found, 1) == ["b"]


def test_when_all_are_removed_they_hold_for_a_while(client: Any) -> None:
    found = of(client)
    client.objects.clear()
    assert names(found, 1) == ["a", "b"]
    assert "all objects of argoproj.io/Application are gone" in found.problems[0]
    assert names(found, ADOPT_SECONDS) == ["a", "b"]
    assert names(found, 1 + ADOPT_SECONDS) == []
    assert found.problems == ()


def test_the_while_begins_anew_when_one_was_there_in_between(client: Any) -> None:
    found, all_of_them = of(client), client.objects["applications"]
    client.objects = {}
    names(found, 1)
    client.objects = {"applications": all_of_them}
    names(found, 2)
    client.objects = {}
    assert names(found, 1 + ADOPT_SECONDS) == ["a", "b"]


def test_what_the_process_before_knew_holds_where_nothing_can_be_read(client: Any) -> None:
    kept = of(client).read(KINDS, 0)
    client.status = 403
    fresh = Definitions(client)
    fresh.restore(kept)
    assert names(fresh, 0) == ["a", "b"]
