"""Owns that what Flux's objects come to renders as Flux itself renders it, by the real kubectl and helm.

What Flux's own code made of the cases is recorded beside them; corpora are held to direct calls of the tools.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adopt.flux import adopt_flux
from reconciler.adopt.model import Adopted
from reconciler.errors import RenderError
from reconciler.render.renderer import render
from reconciler.render.spec import RenderResult, RenderTools, parse_render
from setscrew.controlplane import ensure
from tests.support.direct import check_same, helm, kustomize

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[2]
CASES = REPOSITORY / "tests" / "cases" / "adopt" / "flux"
CORPUS = Path(os.environ.get("SETSCREW_CORPUS") or REPOSITORY.parent / "shared" / "corpus")
BUILT = json.loads((CASES / "generator.built.json").read_text())
GENERATOR = yaml.safe_load((CASES / "generator.yaml").read_text())
REFERENCE = {"kind": "GitRepository", "name": "deploy"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"

Cluster = Mapping[str, Mapping[str, str]]
Build = Callable[..., RenderResult]


@pytest.fixture(scope="session")
def renderers() -> RenderTools:
    found = ensure(["kubectl", "helm"])
    return RenderTools(found.path("helm"), found.path("kubectl"))


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def flux(group: str, kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    version = f"{group}.toolkit.fluxcd.io/{'v2' if group == 'helm' else 'v1'}"
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "flux-system", **metadata},
        "spec": spec,
    }


def adopted(*definitions: dict[str, Any], cluster: Cluster | None = None, **repository: Any) -> Adopted:
    spec = {"url": "https://git.example.com/deploy.git", "interval": "1m", **repository}

    def look(kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        found = (cluster or {}).get(f"{kind} {namespace}/{name}")
        return found and {key: text.encode() for key, text in found.items()}

    return adopt_flux([flux("source", "GitRepository", "deploy", spec), *definitions], look)


@pytest.fixture
def build(renderers: RenderTools) -> Build:
    """What the one source of an adoption renders to, in a repository."""

    def build(found: Adopted, root: Path) -> RenderResult:
        (source,) = found.sources
        spec = parse_render(source.render, source=source.name, revision=f"main@sha1:{COMMIT}")
        return render(root / source.path, spec, renderers, root=root)

    return build


def kustomization(**spec: Any) -> dict[str, Any]:
    return flux("kustomize", "Kustomization", "shop", {"sourceRef": REFERENCE, **spec})


def release(name: str = "web", chart: Mapping[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    whole = {"chart": "./chart", "sourceRef": REFERENCE, **(chart or {})}
    return flux("helm", "HelmRelease", name, {"chart": {"spec": whole}, **spec})


def in_order(trees: Any) -> list[str]:
    return sorted(json.dumps(tree, sort_keys=True) for tree in trees)


def trees(result: RenderResult) -> dict[str, Any]:
    return {one.ref.name: one.tree for one in result.objects}


# ---------------------------------------------------------------------------------------------- Kustomizations


@pytest.mark.parametrize("case", GENERATOR, ids=lambda case: case["case"])
def test_a_kustomization_builds_to_what_flux_builds(case: dict[str, Any], build: Build, tmp_path: Path) -> None:
    write(tmp_path, case["files"])
    expected = BUILT[case["case"]]
    if "error" in expected:
        with pytest.raises(RenderError):
            build(adopted(kustomization(**case["spec"])), tmp_path)
        return
    found = build(adopted(kustomization(**case["spec"])), tmp_path)
    assert in_order(one.tree for one in found.objects) == in_order(expected["objects"])


MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\ndata: {{a: {}}}\n"


def test_what_the_repository_leaves_out_is_not_seen(build: Build, tmp_path: Path) -> None:
    files = {
        "deploy/a.yaml": MAP.format("a", "1"),
        "deploy/.sops.yaml": "creation_rules: []",
        "deploy/.github/b.yaml": MAP.format("b", "1"),
    }
    write(tmp_path, files)
    assert trees(build(adopted(kustomization(path="./deploy")), tmp_path)).keys() == {"a"}
    (tmp_path / "deploy" / ".sops.yaml").unlink()
    found = build(adopted(kustomization(path="./deploy"), ignore="a.yaml"), tmp_path)
    assert trees(found).keys() == {"b"}
    write(tmp_path, {".sourceignore": "/deploy/.github\n"})
    assert trees(build(adopted(kustomization(path="./deploy")), tmp_path)).keys() == {"a"}


def test_a_link_is_not_listed(build: Build, tmp_path: Path) -> None:
    write(tmp_path, {"deploy/a.yaml": MAP.format("a", "1")})
    (tmp_path / "deploy" / "again.yaml").symlink_to("a.yaml")
    assert trees(build(adopted(kustomization(path="./deploy")), tmp_path)).keys() == {"a"}


def test_common_metadata_is_declared_on_all_objects(build: Build, tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": MAP.format("a, labels: {team: theirs, x: y}", "1"), "b.yaml": MAP.format("b", "1")})
    common = {"labels": {"team": "ours"}, "annotations": {"n": "1"}}
    found = trees(build(adopted(kustomization(commonMetadata=common)), tmp_path))
    assert found["a"]["metadata"] == {"name": "a", "labels": {"team": "ours", "x": "y"}, "annotations": {"n": "1"}}
    assert found["b"]["metadata"]["labels"] == {"team": "ours"}


def test_objects_of_a_generated_kustomization_keep_their_places(build: Build, tmp_path: Path) -> None:
    write(tmp_path, {"deploy/deep/a.yaml": "# a comment\n" + MAP.format("a", "'${x}'")})
    found = build(adopted(kustomization(path="./deploy", postBuild={"substitute": {"x": "y"}})), tmp_path)
    assert [one.provenance.place for one in found.objects] == ["deploy/deep/a.yaml:2"]


def test_a_secret_value_in_a_failure_is_blotted_out_and_what_is_missing_is_named(build: Build, tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": MAP.format("a", "${pin}")})
    reference = {"substituteFrom": [{"kind": "Secret", "name": "pins"}]}
    with pytest.raises(RenderError, match=r"no Secret flux-system/pins.*SS3014"):
        build(adopted(kustomization(postBuild=reference)), tmp_path)
    cluster = {"Secret flux-system/pins": {"pin": "{hunter22"}}
    with pytest.raises(RenderError) as error:
        build(adopted(kustomization(postBuild=reference), cluster=cluster), tmp_path)
    assert "hunter22" not in str(error.value)


def test_an_encrypted_secret_is_declared_by_its_keys(build: Build, tmp_path: Path) -> None:
    cipher = "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\nstringData:\n  pin: {cipher}\n"
    secret += f"sops:\n  mac: {cipher}\n"
    dotenv = f"PIN={cipher}\nsops_mac={cipher}\nsops_version=3.9.0\n"
    user = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {volumes: [{name: v, secret: {secretName: made}}]}\n"
    )
    kustomize = "resources: [secret.yaml, pod.yaml]\nsecretGenerator: [{name: made, envs: [pins.env]}]\n"
    write(tmp_path, {"kustomization.yaml": kustomize, "secret.yaml": secret, "pod.yaml": user, "pins.env": dotenv})
    found = build(adopted(kustomization(decryption={"provider": "sops"})), tmp_path)
    marks = {one.ref.name: one.generated for one in found.objects}
    assert marks == {"login": ("/stringData/pin",), "web": ("/spec/volumes/0/secret/secretName",)}
    assert "sops" not in trees(found)["login"]
    assert any("left out" in note for note in found.notes)


# ---------------------------------------------------------------------------------------------------- releases

CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0+build\n",
    "chart/values.yaml": "color: red\nonly: default\n",
    "chart/crds/crd.yaml": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: webs.example.com}\n"
    ),
    "chart/templates/web.yaml": (
        "apiVersion: v1\nkind: ConfigMap\n"
        "metadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\n"
        '  labels: {chart: \'{{ .Chart.Version | replace "+" "_" }}\'}\n'
        "data:\n  values: {{ .Values | toJson | quote }}\n"
    ),
    "chart/templates/hook.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n"
    ),
    "env/prod.yaml": "color: blue\n",
}


def values(result: RenderResult, name: str = "web") -> Any:
    return json.loads(trees(result)[name]["data"]["values"])


def test_a_release_has_flux_s_names(build: Build, tmp_path: Path) -> None:
    write(tmp_path, CHART)
    found = build(adopted(release(targetNamespace="shop")), tmp_path)
    assert trees(found).keys() == {"webs.example.com", "shop-web"}
    assert trees(found)["shop-web"]["metadata"]["namespace"] == "shop"
    assert found.release == "shop-web"


def test_values_come_in_flux_s_order(build: Build, tmp_path: Path) -> None:
    write(tmp_path, CHART)
    cluster = {
        "ConfigMap flux-system/one": {"values.yaml": "color: green\nfirst: one\nsecond: one\n"},
        "Secret flux-system/two": {"values.yaml": "second: two\npin: hunter22\n", "count": "7", "text": '"7"'},
    }
    given = [
        {"kind": "ConfigMap", "name": "one"},
        {"kind": "Secret", "name": "two"},
        {"kind": "Secret", "name": "two", "valuesKey": "count", "targetPath": "at.path"},
        {"kind": "Secret", "name": "two", "valuesKey": "text", "targetPath": "at.text"},
    ]
    found = build(adopted(release(valuesFrom=given, values={"color": "ours"}), cluster=cluster), tmp_path)
    said = {"color": "ours", "only": "default", "first": "one", "second": "two", "pin": "hunter22"}
    assert values(found) == said | {"at": {"path": 7, "text": "7"}}


def test_values_files_stand_in_place_of_the_defaults_and_the_version_shows_it(build: Build, tmp_path: Path) -> None:
    write(tmp_path, CHART)
    made = flux("source", "HelmChart", "flux-system-web", {}, generation=4)
    chart = {"valuesFiles": ["env/prod.yaml", "env/gone.yaml"], "ignoreMissingValuesFiles": True}
    found = build(adopted(release(chart={**chart, "reconcileStrategy": "Revision"}), made), tmp_path)
    assert values(found) == {"color": "blue"}
    assert trees(found)["web"]["metadata"]["labels"] == {"chart": f"1.0.0_{COMMIT[:12]}.4"}


def test_post_renderers_change_what_the_chart_made_one_after_another(build: Build, tmp_path: Path) -> None:
    write(tmp_path, CHART)
    patches = [
        [{"patch": "- op: add\n  path: /data/first\n  value: 'yes'", "target": {"kind": "ConfigMap"}}],
        [{"patch": "- op: move\n  from: /data/first\n  path: /data/second", "target": {"name": "web"}}],
    ]
    renderers = [{"kustomize": {"patches": one}} for one in patches]
    common = {"labels": {"team": "web"}}
    found = build(adopted(release(postRenderers=renderers, commonMetadata=common)), tmp_path)
    assert trees(found)["web"]["data"].keys() == {"values", "second"}
    assert trees(found)["web"]["metadata"]["labels"] == {"chart": "1.0.0_build", "team": "web"}
    assert "labels" not in trees(found)["webs.example.com"]["metadata"]
    assert {one.ref.name: one.provenance.file for one in found.objects} == {
        "webs.example.com": "chart/crds/crd.yaml",
        "web": "chart/templates/web.yaml",
    }


def test_a_post_renderer_that_fails_is_named(build: Build, tmp_path: Path) -> None:
    write(tmp_path, CHART)
    patch = [{"patch": "- op: remove\n  path: /nowhere", "target": {"kind": "ConfigMap"}}]
    with pytest.raises(RenderError, match=r"spec\.postRenderers: kustomize failed"):
        build(adopted(release(postRenderers=[{"kustomize": {"patches": patch}}])), tmp_path)


def test_no_value_of_a_secret_comes_back_in_a_failure(build: Build, tmp_path: Path) -> None:
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {{ fail .Values.at.pin }}\n"
    write(tmp_path, {**CHART, "chart/templates/fails.yaml": template})
    given = [{"kind": "Secret", "name": "two", "valuesKey": "pin", "targetPath": "at.pin"}]
    with pytest.raises(RenderError) as error:
        build(adopted(release(valuesFrom=given), cluster={"Secret flux-system/two": {"pin": "hunter22"}}), tmp_path)
    assert "hunter22" not in str(error.value)
    assert "***" in str(error.value)


# ----------------------------------------------------------------------------------------------------- corpora


def entries(kind: str) -> list[Any]:
    if not (CORPUS / "corpus.yaml").exists():
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"no corpora at {CORPUS}"))]
    listed = yaml.safe_load((CORPUS / "corpus.yaml").read_text())["entries"]
    return [pytest.param(one, id=one["name"]) for one in listed if one["kind"] == kind]


@pytest.mark.parametrize("entry", entries("kustomize"))
def test_a_corpus_as_a_kustomization_is_what_kubectl_builds(
    entry: dict[str, Any], build: Build, renderers: RenderTools
) -> None:
    found = build(adopted(kustomization(path=entry["path"])), CORPUS)
    check_same(found.objects, kustomize(renderers, CORPUS / entry["path"]))
    assert len(found.objects) == entry["objects"]


@pytest.mark.parametrize("entry", entries("helm"))
def test_a_corpus_as_a_release_is_what_helm_renders(
    entry: dict[str, Any], build: Build, renderers: RenderTools
) -> None:
    chart = {"chart": entry["path"]}
    given = {"targetNamespace": entry["namespace"], "releaseName": "x", "values": entry.get("values", {})}
    found = build(adopted(release(chart=chart, **given)), CORPUS)
    expected = helm(renderers, CORPUS / entry["path"], "x", entry["namespace"], given["values"])
    check_same(found.objects, expected)
