"""Owns rendering with the real kubectl and helm: parity with kubectl, charts, kustomizations, examples, corpora."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import RenderError
from reconciler.model.tree import strict_equal
from reconciler.render import process
from reconciler.render.renderer import render
from reconciler.render.spec import RenderResult, RenderSpec, RenderTools, parse_render
from reconciler.render.yaml_loader import load_documents
from reconciler.source.spec import parse_source
from setscrew.controlplane import ControlPlane, Tools, ensure

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"
CORPUS = Path(os.environ.get("SETSCREW_CORPUS") or REPOSITORY.parent / "shared" / "corpus")

Show = Callable[..., RenderResult]


@pytest.fixture(scope="session")
def renderers() -> RenderTools:
    found = ensure(["kubectl", "helm"])
    return RenderTools(found.path("helm"), found.path("kubectl"))


@pytest.fixture
def show(renderers: RenderTools) -> Show:
    def show(path: Path, *, root: Path | None = None, **fields: Any) -> RenderResult:
        return render(path, RenderSpec(**fields), renderers, root=root)

    return show


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return root


def refs(result: RenderResult) -> list[str]:
    return [str(found.ref) for found in result.objects]


# ------------------------------------------------------------------------------- as kubectl reads YAML


def table(value: str) -> bytes:
    return f"apiVersion: v1\nkind: Table\nmetadata: {{name: x}}\nv: {value}\n".encode()


def kubectl_reads(kubectl: Path, text: bytes) -> Any:
    """What kubectl makes of `v`; None where it refuses the file. `annotate --local` needs no server and no schema."""
    command = [str(kubectl), "annotate", "--local", "-f", "-", "-o", "json", "a=b"]
    done = subprocess.run(command, input=text, capture_output=True, check=False, env={"KUBECONFIG": "/dev/null"})
    return {"v": json.loads(done.stdout).get("v")} if done.returncode == 0 else None


def we_read(text: bytes) -> Any:
    try:
        (document,) = load_documents(text, "f.yaml")
    except RenderError:
        return None
    return {"v": document.tree.get("v")}


@pytest.mark.parametrize(
    "value",
    ["{~: a}", "{[a]: b}", "{a: 1, a: 2}", ".inf", ".nan", "!!int x", "!!int 08", "!!bool yes", "!!null x",
     "!!set {a, b}", "{a: &a {x: 1}, b: {x: 2, <<: *a}}", "{a: &a {x: 1}, b: {<<: *a, x: 2}}", "{<<: 3}",
     "{<<: []}", "{'<<': {a: 1}}", "{a: &a {x: 1, z: 3}, b: &b {x: 5, w: 1}, c: {<<: [*a, *b]}}", "&a [*a]",
     "*x", "{18446744073709551615: x}", "{1.50: a, 1.0: b, 123456789.125: c, 1e10: d, 100000000.5: g}",
     "!!timestamp 2024-01-01", "!!binary aGk=", "!!float 0x1F", "! 12", "!foo x", "!!str [1]", "!!str ''",
     "|\n  a\n  b", ">-\n  a\n  b", "'it''s'", '"\\u00e9\\x41"', "[a,b", "@a", "`a", "%a", "{a",
     "18446744073709551615", "1e400", "5e-324", "0.1", "{&k a: 1, *k : 2}", "..."],
)  # fmt: skip
def test_a_value_is_what_kubectl_makes_of_it(value: str, renderers: RenderTools) -> None:
    ours, theirs = we_read(table(value)), kubectl_reads(renderers.kubectl, table(value))
    assert strict_equal(ours, theirs), (ours, theirs)


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_scalars_mean_what_they_mean_to_kubectl(seed: int, renderers: RenderTools) -> None:
    chance = random.Random(seed)  # noqa: S311  no secret, and the same cases every time
    letters = "0123456789" * 2 + "01xXoObBeE+-._yYnN~tT:afF"
    words = {"".join(chance.choices(letters, k=chance.choice([1, 2, 3, 4, 5, 9, 22]))) for _ in range(5000)}
    plain = sorted(word for word in words - {"-"} if not re.search(r"^:|^-:|^--|:$|\.inf|\.nan", word, re.IGNORECASE))
    text = table("\n" + "".join(f"- {word}\n" for word in plain))
    ours, theirs = we_read(text), kubectl_reads(renderers.kubectl, text)
    assert len(ours["v"]) > 3500
    assert [pair for pair in zip(ours["v"], theirs["v"], strict=True) if not strict_equal(*pair)] == []


# ------------------------------------------------------------------------------------------------ Helm

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n",
    "values.yaml": "size: 1\npassword: ''\n",
    "crds/things.yaml": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b.c}\n"
    ),
    "templates/map.yaml": (
        "{{- if true }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-map\n"
        "data:\n  size: {{ .Values.size | quote }}\n  kube: {{ .Capabilities.KubeVersion.Version }}\n"
        '  thing: {{ .Capabilities.APIVersions.Has "example.com/v1/Thing" | quote }}\n  ns: {{ .Release.Namespace }}\n'
        "{{- end }}\n"
    ),
    "templates/test.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n---\n"
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, annotations: {helm.sh/hook: pre-install}}\n"
    ),
}


def test_a_chart_gives_crds_and_objects_but_no_hooks(tmp_path: Path, show: Show) -> None:
    result = show(write(tmp_path, CHART), namespace="prod", api_versions=("example.com/v1/Thing",), values={"size": 3})
    assert refs(result) == ["CustomResourceDefinition.apiextensions.k8s.io a.b.c", "ConfigMap demo-map"]
    assert result.objects[1].tree["data"] == {"size": "3", "kube": "v1.36.3", "thing": "true", "ns": "prod"}
    assert [found.provenance.place for found in result.objects] == ["crds/things.yaml:1", "templates/map.yaml:2"]
    assert (result.kind, result.renderer_version) == ("helm", "helm v4.3.1")


def test_crds_can_be_left_out_and_the_release_named(tmp_path: Path, show: Show) -> None:
    result = show(write(tmp_path, CHART), release_name="blue", include_crds=False)
    assert refs(result) == ["ConfigMap blue-map"]


def test_values_win_over_value_files_over_the_chart(tmp_path: Path, show: Show) -> None:
    write(tmp_path, {**{f"chart/{name}": text for name, text in CHART.items()}, "prod.yaml": "size: 7\n"})
    by_file = show(tmp_path / "chart", root=tmp_path, value_files=("../prod.yaml",))
    assert by_file.objects[1].tree["data"]["size"] == "7"
    both = show(tmp_path / "chart", root=tmp_path, value_files=("../prod.yaml",), values={"size": 8})
    assert both.objects[1].tree["data"]["size"] == "8"
    assert show(tmp_path / "chart", value_files=(str(tmp_path / "prod.yaml"),)).objects[1].tree["data"]["size"] == "7"


def test_value_files_outside_the_source_are_refused(tmp_path: Path, show: Show) -> None:
    write(tmp_path, {f"chart/{name}": text for name, text in CHART.items()})
    (tmp_path / "secret.yaml").write_text("size: 9\n")
    with pytest.raises(RenderError, match="leads out of the source"):
        show(tmp_path / "chart", root=tmp_path / "chart", value_files=("../secret.yaml",))


@pytest.mark.parametrize(
    ("template", "place", "reason"),
    [
        ("kind: ConfigMap\nname: {{ .Values.no.such }}\n", "templates/bad.yaml:2", "nil pointer"),
        ("kind: {{ nosuch }}\n", "templates/bad.yaml:1", 'function "nosuch" not defined'),
        ('{{ fail "say why" }}', "templates/bad.yaml:1", "say why"),
        ("a: 1\n  b: 2\n", "templates/bad.yaml", "YAML"),
        ('{{ include "no.such" . }}', "templates/bad.yaml:1", "no.such"),
    ],
)
def test_a_chart_that_fails_names_template_and_line(
    tmp_path: Path, show: Show, template: str, place: str, reason: str
) -> None:
    write(tmp_path, {**CHART, "templates/bad.yaml": template})
    with pytest.raises(RenderError) as caught:
        show(tmp_path)
    assert caught.value.where == place
    assert reason in caught.value.message
    assert "\n" not in str(caught.value)
    assert "/setscrew-render-" not in str(caught.value)


def test_a_secret_value_does_not_come_back_in_an_error(tmp_path: Path, show: Show) -> None:
    write(tmp_path, {**CHART, "templates/bad.yaml": "{{ fail .Values.password }}"})
    with pytest.raises(RenderError) as caught:
        show(tmp_path, values={"password": "example-words"})
    assert "example-words" not in str(caught.value)


def test_a_chart_that_never_ends_is_stopped(tmp_path: Path, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    short = process.Limits(wall_seconds=5, cpu_seconds=2)
    monkeypatch.setattr(process, "Limits", lambda: short)
    endless = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"
    write(tmp_path, {**CHART, "templates/bad.yaml": endless})
    with pytest.raises(RenderError, match=r"helm (took|used) more than"):
        show(tmp_path)


def test_python_files_in_a_chart_are_never_imported(tmp_path: Path, show: Show) -> None:
    names = ("__init__", "copy", "yaml", "json", "sitecustomize", "reconciler/__init__")
    chart = {f"chart/{name}": text for name, text in CHART.items()}
    evil = {f"chart/{name}.py": f"open({str(tmp_path / 'ran')!r}, 'w')" for name in names}
    assert len(show(write(tmp_path, {**chart, **evil}) / "chart").objects) == 2
    assert not (tmp_path / "ran").exists()


def test_a_broken_chart_file_is_named(tmp_path: Path, show: Show) -> None:
    with pytest.raises(RenderError) as caught:
        show(write(tmp_path, {"Chart.yaml": "name: [\n"}))
    assert caught.value.where.startswith("Chart.yaml:")


# ------------------------------------------------------------------------------------------- Kustomize

OVERLAY = {
    "base/kustomization.yaml": "resources: [map.yaml]\nsecretGenerator: [{name: s, literals: [a=b]}]\n",
    "base/map.yaml": "# first\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n"
    "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n",
    "prod/kustomization.yaml": "namePrefix: p-\nnamespace: prod\nresources:\n- ../base\n",
}


def test_an_overlay_knows_where_its_objects_were_written(tmp_path: Path, show: Show) -> None:
    result = show(write(tmp_path, OVERLAY) / "prod")
    places = {found.ref.name.split("-")[1]: found.provenance.place for found in result.objects}
    assert places == {"one": "base/map.yaml:2", "two": "base/map.yaml:6", "s": "base/kustomization.yaml"}
    assert all(found.ref.namespace == "prod" for found in result.objects)
    assert "annotations" not in result.objects[0].tree["metadata"]
    assert result.renderer_version == "kustomize v5.8.1"


def test_origin_annotations_stay_where_git_asks_for_them(tmp_path: Path, show: Show) -> None:
    asked = OVERLAY["prod/kustomization.yaml"] + "buildMetadata: [originAnnotations]\n"
    result = show(write(tmp_path, {**OVERLAY, "prod/kustomization.yaml": asked}) / "prod")
    assert "config.kubernetes.io/origin" in result.objects[0].tree["metadata"]["annotations"]


def test_a_remote_base_is_one_clear_line(tmp_path: Path, show: Show) -> None:
    write(tmp_path, {"kustomization.yaml": "resources:\n- https://example.com/base.yaml\n"})
    with pytest.raises(RenderError) as caught:
        show(tmp_path)
    assert str(caught.value) == (
        "kustomization.yaml:2: remote bases are not fetched"
        " (copy it into the repository, or add it as a source) [SS3006]"
    )


def test_a_base_outside_the_repository_is_refused(tmp_path: Path, show: Show) -> None:
    write(tmp_path, OVERLAY)
    with pytest.raises(RenderError, match="leads out of the source"):
        show(tmp_path / "prod", root=tmp_path / "prod")


@pytest.mark.parametrize("plugin", ["exec: {path: ./run.sh}", "container: {image: example.com/x}"])
def test_plugins_are_never_run(tmp_path: Path, show: Show, plugin: str) -> None:
    script = write(tmp_path, {"run.sh": f"#!/bin/sh\ntouch {tmp_path}/ran\n"}) / "run.sh"
    script.chmod(0o755)
    function = (
        "apiVersion: example.com/v1\nkind: Gen\nmetadata:\n  name: g\n  annotations:\n"
        f"    config.kubernetes.io/function: |\n      {plugin}\n"
    )
    write(tmp_path, {"kustomization.yaml": "generators: [gen.yaml]\n", "gen.yaml": function})
    with pytest.raises(RenderError):
        show(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_build_that_fails_is_one_clear_line_without_our_paths(tmp_path: Path, show: Show) -> None:
    write(tmp_path, {"kustomization.yaml": "resources: [a.yaml]\nnoSuchField: 1\n", "a.yaml": ""})
    with pytest.raises(RenderError, match="noSuchField") as caught:
        show(tmp_path)
    assert "/setscrew-render-" not in str(caught.value)


# -------------------------------------------------------------------------------- examples and corpora


def example_sources() -> list[Any]:
    text = (EXAMPLES / "setscrew/sources.yaml").read_bytes()
    return [parse_source(document.tree) for document in load_documents(text, "sources.yaml")]


@pytest.mark.timeout(400)
def test_the_api_server_takes_every_example_without_a_warning(
    control_plane: ControlPlane, tools: Tools, renderers: RenderTools
) -> None:
    objects = [
        found
        for source in example_sources()
        for found in render(EXAMPLES / source.path, parse_render(source.render), renderers, root=EXAMPLES).objects
    ]
    assert len(objects) == 22
    assert all(found.provenance.line for found in objects)
    namespaces = [found for found in objects if found.ref.kind == "Namespace"]
    command = [str(tools.kubectl), "--kubeconfig", str(control_plane.admin_kubeconfig)]
    try:
        for found in [*namespaces, *(found for found in objects if found not in namespaces)]:
            apply = [*command, "apply", "--server-side", "--validate=strict", "-f", "-"]
            done = subprocess.run(apply, input=json.dumps(found.tree), capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), found.ref
    finally:
        for found in objects:
            if not found.ref.namespace:
                subprocess.run([*command, "delete", found.ref.kind, found.ref.name, "--wait=false"], check=False)


def corpus() -> list[Any]:
    index = CORPUS / "corpus.yaml"
    if not index.is_file():
        return [pytest.param({}, marks=pytest.mark.skip(f"no corpus at {CORPUS}; set SETSCREW_CORPUS"))]
    (document,) = load_documents(index.read_bytes(), index.name)
    return [pytest.param(entry, id=entry["name"]) for entry in document.tree["entries"]]


# corpus.yaml counts hooks: gpu-operator brings four of an upgrade, four of a clean-up and one of GPUCluster's.
HOOKS = {"gpu-operator": 9}


@pytest.mark.parametrize("entry", corpus())
def test_a_published_source_renders_in_full(entry: dict[str, Any], show: Show) -> None:
    result = show(CORPUS / entry["path"], namespace=entry["namespace"], values=entry.get("values", {}))
    assert result.kind == entry["kind"]
    assert len(result.objects) == entry["objects"] - HOOKS.get(entry["name"], 0)
    assert [str(found.ref) for found in result.objects if not found.provenance.file] == []
    known = [found for found in result.objects if found.provenance.line]
    assert len(known) >= 0.9 * len(result.objects)
