"""Holds that a kept render is given while all that it read is the same, and only then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.objects import Provenance, RenderedObject
from reconciler.render.cache import RenderCache
from reconciler.render.spec import RenderResult, RenderSpec

SPEC = RenderSpec(source="shop", revision="main@sha1:1", values={"big": 2**70, "one": 1.0})
TREE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"n": 2**70, "f": 1.0, "s": "ä"}}
PLACE = Provenance("shop", "main@sha1:1", "deploy/c.yaml", 3, 1, "kustomize")
RESULT = RenderResult((RenderedObject(TREE, PLACE, ("/data/s",)),), ("a note",), "kustomize", "v5", outside=("base",))
IDS = {"deploy": "1", "base": "2"}


def ids(known: Mapping[str, str]) -> Any:
    def of(places: Iterable[str]) -> dict[str, str]:
        return {place: known.get(place, "") for place in places}

    return of


@pytest.fixture
def cache(tmp_path: Path) -> RenderCache:
    found = RenderCache(tmp_path / "renders")
    found.put("deploy", SPEC, "tools", ids(IDS), RESULT)
    return found


def from_disk(cache: RenderCache) -> RenderCache:
    return RenderCache(cache.directory, cache.most_bytes)


def test_another_revision_of_the_same_content_is_given_with_its_own_name(cache: RenderCache) -> None:
    spec = replace(SPEC, source="other", revision="main@sha1:2")
    for found in (cache, from_disk(cache)):
        kept = found.get("deploy", spec, "tools", ids(IDS))
        assert kept is not None
        placed = replace(PLACE, source="other", revision="main@sha1:2")
        assert kept == replace(RESULT, objects=(RenderedObject(TREE, placed, ("/data/s",)),))
        assert type(kept.objects[0].tree["data"]["f"]) is float


@pytest.mark.parametrize(
    ("path", "spec", "tools", "now"),
    [
        ("deploy", SPEC, "tools", {**IDS, "deploy": "9"}),
        ("deploy", SPEC, "tools", {**IDS, "base": "9"}),
        ("deploy", SPEC, "tools", {"deploy": "1"}),
        ("deploy", SPEC, "other tools", IDS),
        ("base", SPEC, "tools", IDS),
        ("deploy", replace(SPEC, values={}), "tools", IDS),
        ("deploy", replace(SPEC, kube_version="1.30.0"), "tools", IDS),
        ("deploy", replace(SPEC, api_versions=("a/v1",)), "tools", IDS),
        ("deploy", replace(SPEC, namespace="shop"), "tools", IDS),
    ],
)
def test_what_reads_otherwise_is_rendered_anew(
    cache: RenderCache, path: str, spec: RenderSpec, tools: str, now: Mapping[str, str]
) -> None:
    assert cache.get(path, spec, tools, ids(now)) is None
    assert from_disk(cache).get(path, spec, tools, ids(now)) is None


def test_a_secret_is_kept_in_memory_alone(tmp_path: Path) -> None:
    cache = RenderCache(tmp_path)
    tree = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter22"}}
    cache.put("deploy", SPEC, "tools", ids(IDS), replace(RESULT, objects=(RenderedObject(tree, PLACE),)))
    assert cache.get("deploy", SPEC, "tools", ids(IDS)) is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"no gzip", b"\x1f\x8b\x08\x00half"])
def test_a_damaged_file_costs_a_render_and_nothing_else(cache: RenderCache, damage: bytes) -> None:
    (file,) = cache.directory.iterdir()
    file.write_bytes(damage)
    assert from_disk(cache).get("deploy", SPEC, "tools", ids(IDS)) is None
    assert list(cache.directory.iterdir()) == []


def test_the_longest_unused_is_let_go_when_there_is_too_much(cache: RenderCache) -> None:
    (first,) = cache.directory.iterdir()
    small = RenderCache(cache.directory, most_bytes=first.stat().st_size + 100)
    small.put("deploy", replace(SPEC, namespace="shop"), "tools", ids(IDS), RESULT)
    assert len(list(cache.directory.iterdir())) == 1
    assert not first.exists()


def test_a_disk_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = RenderCache(tmp_path / "file" / "renders")
    cache.put("deploy", SPEC, "tools", ids(IDS), RESULT)
    assert cache.get("deploy", SPEC, "tools", ids(IDS)) is not None
