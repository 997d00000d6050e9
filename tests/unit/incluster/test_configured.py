"""Holds how objects are read: patiently at first, told once where they cannot be, handed on only when they are new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ApiError, ClusterError, UsageError
from setscrew.configuration import Configuration
from setscrew.incluster import configured
from setscrew.incluster.configured import Configured
from tests.support.fake_api import Call, FakeApi, refused


class Cluster:
    """Objects by plural, or what is answered instead."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {"gitsources": [], "driftpolicies": [], "driftgrants": []}
        self.errors: list[ApiError] = []
        self.api = FakeApi(self.answer)

    def answer(self, call: Call) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return {"items": self.objects[call.path.rpartition("/")[2]]}

    def source(self, name: str, **spec: Any) -> None:
        whole = {"url": "https://git.example.com/a.git", **spec}
        self.objects["gitsources"] = [{"metadata": {"name": name}, "spec": whole}]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(configured.time, "sleep", lambda _: None)
    return Cluster()


def reader(cluster: Cluster, directory: Path | None = None) -> tuple[Configured, list[str]]:
    said: list[str] = []
    return Configured(cluster.api, directory, said.append), said  # type: ignore[arg-type]


def test_without_definitions_it_says_what_to_do(cluster: Cluster) -> None:
    cluster.errors = [refused(404)]
    with pytest.raises(ClusterError, match="apply manifests/crds") as caught:
        reader(cluster)[0].begin()
    assert caught.value.code == "SS4014"


def test_definitions_that_were_just_made_are_waited_for(cluster: Cluster) -> None:
    cluster.source("shop")
    cluster.errors = [refused(429), refused(503)]
    found = reader(cluster)[0].begin()
    assert [one.name for one in found.sources] == ["shop"]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_what_waiting_does_not_help_is_told_at_once(cluster: Cluster, status: int) -> None:
    cluster.errors = [refused(status)]
    with pytest.raises(ApiError):
        reader(cluster)[0].begin()


def test_a_wrong_document_of_the_directory_is_named_with_its_file(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("kind: Nonsense\n")
    with pytest.raises(UsageError, match=r"one\.yaml: unknown kind"):
        reader(cluster, tmp_path)[0].begin()


def test_a_grant_of_the_directory_is_none_since_each_leader_would_grant_anew(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "night.yaml").write_text("kind: DriftGrant\nmetadata: {name: night}\nspec: {}\n")
    one, said = reader(cluster, tmp_path)
    assert one.begin().grants == ()
    assert said == [
        f"{tmp_path}/night.yaml: a DriftGrant in a directory grants nothing in a cluster: make an object of it"
    ]


def test_shipped_policies_hold_where_there_is_no_object(cluster: Cluster) -> None:
    names = [one.name for one in reader(cluster)[0].begin().rules.policies]
    assert names[0] == "own-levers"
    assert "default" in names


def test_what_is_as_it_was_is_not_handed_on_again(cluster: Cluster) -> None:
    one, said = reader(cluster)
    cluster.source("shop")
    one.begin()
    given: list[Configuration] = []

    def change(found: Configuration, _: Any) -> None:
        given.append(found)

    one._look(change)
    assert given == []
    cluster.source("shop", path="../x")
    one._look(change)
    one._look(change)
    assert (len(given), len(said), "GitSource shop" in said[0]) == (0, 1, True)
    cluster.source("shop", path="prod")
    one._look(change)
    assert [source.path for source in given[0].sources] == ["prod"]
