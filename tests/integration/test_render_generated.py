"""Owns what the real helm makes anew at each render: marked as generated, kept as first rendered, and said loudly."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from reconciler.loop.reading import Reader
from reconciler.loop.sources import Sources
from reconciler.render.renderer import render
from reconciler.render.spec import Capabilities, RenderResult, RenderSpec, RenderTools
from reconciler.source.spec import GitRef, GitSource
from setscrew.controlplane import ensure
from setscrew.demo import repository

pytestmark = pytest.mark.integration

CHART = "apiVersion: v2\nname: demo\nversion: 1.0.0\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n"


@pytest.fixture(scope="session")
def renderers() -> RenderTools:
    found = ensure(["kubectl", "helm"])
    return RenderTools(found.path("helm"), found.path("kubectl"))


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(CHART)
    return tmp_path


def templates(chart: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (chart / "templates" / name).write_text(text)
    return chart


def generated(result: RenderResult) -> dict[str, tuple[str, ...]]:
    return {str(found.ref): found.generated for found in result.objects if found.generated}


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("  p: {{ randAlphaNum 16 | quote }}\n  q: fixed\n", ("/stringData/p",)),
        ("  p: {{ uuidv4 }}\n", ("/stringData/p",)),
        ("  p: {{ now | quote }}\n", ("/stringData/p",)),
        ("  p: {{ now | unixEpoch | quote }}\n", ("/stringData/p",)),
        ('  p: {{ now | date "2006-01-02T15:04:05" | quote }}\n', ("/stringData/p",)),
        ('  p: {{ htpasswd "u" "w" | quote }}\n', ("/stringData/p",)),
        ('  p: {{ derivePassword 1 "long" "m" "u" "h" | quote }}\n', ()),
        (
            '  {{- $ca := genCA "ca" 365 }}\n  crt: {{ $ca.Cert | b64enc }}\n  key: {{ $ca.Key | b64enc }}\n',
            ("/stringData/crt", "/stringData/key"),
        ),
        ("  {{ randAlpha 5 }}: a\n  b: c\n", ("/stringData",)),
        ("  p: fixed\n", ()),
    ],
)
def test_a_value_that_each_render_makes_anew_is_generated(
    chart: Path, renderers: RenderTools, expression: str, paths: tuple[str, ...]
) -> None:
    result = render(templates(chart, {"s.yaml": SECRET + expression}), RenderSpec(), renderers)
    assert generated(result) == ({"Secret s": paths} if paths else {})
    assert [note.startswith("generated anew") for note in result.notes] == [True] * bool(paths)


def test_a_checksum_over_generated_values_is_generated_too(chart: Path, renderers: RenderTools) -> None:
    checksum = '{{ include (print $.Template.BasePath "/s.yaml") . | sha256sum }}'
    web = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 2\n  template:\n"
        f"    metadata:\n      annotations:\n        checksum/secret: {checksum}\n        fixed: a\n"
    )
    files = {"s.yaml": SECRET + "  p: {{ randAlphaNum 8 }}\n", "web.yaml": web, "m.yaml": MAP + "  a: b\n"}
    result = render(templates(chart, files), RenderSpec(), renderers)
    assert generated(result) == {
        "Secret s": ("/stringData/p",),
        "Deployment.apps web": ("/spec/template/metadata/annotations/checksum~1secret",),
    }
    assert len(result.objects) == 3
    assert any("Deployment.apps web (templates/web.yaml:1)" in note for note in result.notes)


def test_an_object_with_a_generated_name_is_left_out_and_the_rest_stays(chart: Path, renderers: RenderTools) -> None:
    files = {
        "s.yaml": SECRET.replace("name: s", "name: s-{{ randNumeric 9 }}") + "  p: a\n",
        "m.yaml": MAP + "  a: b\n",
    }
    result = render(templates(chart, files), RenderSpec(), renderers)
    assert [str(found.ref) for found in result.objects] == ["ConfigMap m"]
    assert "another name at each render" in result.notes[0]


def test_a_packed_sub_chart_is_rendered_twice_as_well(chart: Path, renderers: RenderTools) -> None:
    (chart / "charts").mkdir()
    with tarfile.open(chart / "charts/sub-1.0.0.tgz", "w:gz") as package:
        files = {
            "Chart.yaml": CHART.replace("demo", "sub"),
            "templates/s.yaml": SECRET + "  p: {{ now | unixEpoch }}\n",
        }
        for name, text in files.items():
            entry = tarfile.TarInfo(f"sub/{name}")
            entry.size = len(text)
            package.addfile(entry, io.BytesIO(text.encode()))
    assert generated(render(chart, RenderSpec(), renderers)) == {"Secret s": ("/stringData/p",)}


def test_a_lookup_is_said_to_find_nothing(chart: Path, renderers: RenderTools) -> None:
    idiom = (
        '{{- $old := lookup "v1" "Secret" .Release.Namespace "s" }}\n'
        f"{SECRET}  p: {{{{ if $old }}}}{{{{ $old.data.p }}}}{{{{ else }}}}{{{{ randAlphaNum 9 }}}}{{{{ end }}}}\n"
    )
    result = render(templates(chart, {"s.yaml": idiom}), RenderSpec(), renderers)
    assert generated(result) == {"Secret s": ("/stringData/p",)}
    assert [note for note in result.notes if "`lookup`" in note] == [
        "templates/s.yaml calls `lookup`, which finds nothing: rendering never reaches a cluster"
    ]


def test_a_day_that_stays_the_same_for_a_second_is_pointed_out(chart: Path, renderers: RenderTools) -> None:
    files = {"m.yaml": MAP + '  year: {{ now | date "2006" | quote }}\n'}
    result = render(templates(chart, files), RenderSpec(), renderers)
    assert generated(result) == {}
    assert [note.partition(":")[0] for note in result.notes] == ["templates/m.yaml asks for the time"]


def test_a_chart_is_told_what_the_cluster_serves(chart: Path, renderers: RenderTools) -> None:
    asks = (
        "  kube: {{ .Capabilities.KubeVersion.Version }}\n"
        '  has: {{ .Capabilities.APIVersions.Has "e.com/v1/Thing" | quote }}\n'
    )
    templates(chart, {"m.yaml": MAP + asks})
    cluster = Capabilities.of("v1.35.1", [("e.com", "v1", "Thing")])
    (found,) = render(chart, RenderSpec().on(cluster), renderers).objects
    assert found.tree["data"] == {"kube": "v1.35.1", "has": "true"}


def test_a_chart_is_rendered_anew_when_the_cluster_serves_more(tmp_path: Path, renderers: RenderTools) -> None:
    git = repository.create(tmp_path / "git")
    (git.work / "templates").mkdir()
    (git.work / "Chart.yaml").write_text(CHART)
    templates(
        git.work, {"m.yaml": f'{{{{ if .Capabilities.APIVersions.Has "e.com/v1" }}}}\n{MAP}  a: b\n{{{{ end }}}}\n'}
    )
    git.commit("A chart")
    git.push()
    source = GitSource("shop", git.url, GitRef("branch", "main"), interval=60)
    sources = Sources((source,), Reader(renderers, tmp_path / "mirrors", allow_local=True))
    assert (sources.refresh(), len(sources.good["shop"].objects), sources.refresh()) == (True, 0, False)
    sources.cluster = Capabilities.of("v1.36.3", [("e.com", "v1", "Thing")])
    assert (sources.refresh(), len(sources.good["shop"].objects), sources.refresh()) == (True, 1, False)
