"""Owns that a commit costs a render exactly where it changes something that the render reads, with real renderers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import reconciler.loop.reading as module
from reconciler.errors import RenderError
from reconciler.loop.reading import Good, Reader
from reconciler.render.cache import RenderCache
from reconciler.render.renderer import render
from reconciler.render.spec import NO_CLUSTER, RenderTools
from reconciler.source.spec import GitRef, GitSource
from setscrew.controlplane import ensure
from setscrew.demo import repository

pytestmark = pytest.mark.integration

FILES = {
    "README.md": "words",
    "plain/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: shop}\n",
    "shared/two.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two, namespace: shop}\n",
    "base/kustomization.yaml": "resources: [deep/one.yaml]\n",
    "base/deep/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n",
    "base/unused.yaml": "",
    "overlay/kustomization.yaml": "resources: [../base]\nnamespace: shop\n",
    "chart/Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n",
    "chart/templates/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Values.name }}'}\n",
    "values/shop.yaml": "name: one\n",
}
SOURCES = {
    "plain": {"kind": "YAML", "recurse": True},
    "overlay": {"kind": "Kustomize"},
    "chart": {"kind": "Helm", "namespace": "shop", "valueFiles": ["../values/shop.yaml"]},
}


@pytest.fixture(scope="session")
def renderers() -> RenderTools:
    found = ensure(["kubectl", "helm"])
    return RenderTools(found.path("helm"), found.path("kubectl"))


class Site:
    """One repository that all sources follow, and which of them were rendered since it was last asked."""

    def __init__(self, directory: Path, tools: RenderTools) -> None:
        self.directory = directory
        self.git = repository.create(directory / "git")
        self.reader = Reader(tools, directory / "mirrors", True, cache=RenderCache(directory / "renders"))
        self.rendered: list[str] = []
        (self.git.work / "plain").mkdir()
        (self.git.work / "plain" / "link.yaml").symlink_to("../shared/two.yaml")
        self.push(FILES)

    def push(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            (self.git.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.git.work / name).write_text(text)
        commit = self.git.commit("A change")
        self.git.push()
        return commit

    def read(self) -> tuple[dict[str, Good], list[str]]:
        self.rendered.clear()
        sources = [
            GitSource(name, self.git.url, GitRef("branch", "main"), path=name, render=how)
            for name, how in SOURCES.items()
        ]
        found = {one.name: self.reader.read(one, self.reader.heads(one), NO_CLUSTER) for one in sources}
        return found, list(self.rendered)


@pytest.fixture
def site(tmp_path: Path, renderers: RenderTools, monkeypatch: pytest.MonkeyPatch) -> Site:
    found = Site(tmp_path, renderers)

    def counted(*args: object, **options: object) -> object:
        found.rendered.append(args[1].source)  # type: ignore[attr-defined]
        return real(*args, **options)

    real: Callable[..., object] = render
    monkeypatch.setattr(module, "render", counted)
    assert found.read()[1] == list(SOURCES)
    return found


@pytest.mark.parametrize(
    ("changed", "rendered"),
    [
        ({"README.md": "other words"}, ["plain"]),
        ({"plain/new.yaml": ""}, ["plain"]),
        ({"base/deep/one.yaml": FILES["base/deep/one.yaml"] + "data: {a: b}\n"}, ["plain", "overlay"]),
        ({"overlay/kustomization.yaml": "resources: [../base]\nnamespace: other\n"}, ["plain", "overlay"]),
        ({"chart/templates/one.yaml": FILES["chart/templates/one.yaml"] + "data: {a: b}\n"}, ["plain", "chart"]),
        ({"values/shop.yaml": "name: two\n"}, ["plain", "chart"]),
        ({"values/other.yaml": ""}, ["plain"]),
    ],
)
def test_a_commit_renders_the_sources_that_read_what_it_changes(
    site: Site, changed: dict[str, str], rendered: list[str]
) -> None:
    """`plain` holds a link, which may lead anywhere, so it is rendered at any change."""
    before, _ = site.read()
    commit = site.push(changed)
    found, seen = site.read()
    assert seen == rendered
    for name, good in found.items():
        assert good.state.commit == commit
        assert {one.provenance.revision for one in good.objects} == {f"main@sha1:{commit}"}
        if name not in rendered:
            assert [one.tree for one in good.objects] == [one.tree for one in before[name].objects]


def test_a_second_kustomization_beside_a_base_is_seen(site: Site) -> None:
    site.push({"base/Kustomization": ""})
    with pytest.raises(RenderError, match="more than one kustomization"):
        site.read()


def test_after_a_restart_nothing_that_was_kept_is_rendered(site: Site) -> None:
    before, _ = site.read()
    site.reader = replace(site.reader, cache=RenderCache(site.directory / "renders"))
    again, rendered = site.read()
    assert rendered == []
    assert {name: good.objects for name, good in again.items()} == {name: good.objects for name, good in before.items()}
