"""Owns that an Application is rendered as Argo CD does: the same objects as helm and kustomize with its options."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from reconciler.adopt.argo import adopt_argo
from reconciler.errors import RenderError
from reconciler.render.objects import HOOK
from reconciler.render.parameters import as_option, as_values
from reconciler.render.renderer import render
from reconciler.render.spec import NO_CLUSTER, Parameter, RenderResult, RenderTools, parse_render
from reconciler.render.yaml_loader import load_documents
from setscrew.controlplane import ensure

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("SETSCREW_CORPUS") or REPOSITORY.parent / "shared" / "corpus")
QUIET = {"KUBECONFIG": "/dev/null", "HOME": "/nonexistent", "PATH": "/nonexistent"}
HERE = {"server": "https://kubernetes.default.svc", "namespace": "web"}


@pytest.fixture(scope="module")
def tools() -> RenderTools:
    found = ensure(["kubectl", "helm"])
    return RenderTools(found.path("helm"), found.path("kubectl"))


def adopted(source: dict[str, Any], root: Path, tools: RenderTools, **beside: Path) -> RenderResult:
    """What we render of an Application `shop` with this source, whose repository lies at `root`."""
    spec = {"destination": HERE, "sources": [{"repoURL": "https://git.example.com/a.git", **source}]}
    for name in beside:
        spec["sources"].append({"repoURL": f"https://git.example.com/{name}.git", "ref": name})
    tree = {"kind": "Application", "metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec}
    found = adopt_argo(tree)
    assert found.unsupported == ()
    (one,) = found.sources
    return render(root / one.path, parse_render(one.render).on(NO_CLUSTER), tools, root=root, beside=beside)


def trees(found: Iterable[Any]) -> list[str]:
    return sorted(json.dumps(tree, sort_keys=True) for tree in found)


def ours(result: RenderResult) -> list[str]:
    return trees(found.tree for found in result.objects)


def run(*command: str | Path) -> list[str]:
    """What a renderer prints, as trees; hooks are not what is kept."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, env=QUIET)
    assert done.returncode == 0, done.stderr.decode()
    found = [document.tree for document in load_documents(done.stdout, "output") if document.tree is not None]
    return trees(tree for tree in found if HOOK not in (tree["metadata"].get("annotations") or {}))


def helm(tools: RenderTools, chart: Path, *options: str, release: str = "shop", namespace: str = "web") -> list[str]:
    """As Argo CD calls it; a cluster of the version that we take where there is none."""
    command = [tools.helm, "template", chart, "--name-template", release, "--namespace", namespace]
    return run(*command, "--kube-version", NO_CLUSTER.kube_version, *options)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return root


# ------------------------------------------------------------------------------------------ what others publish

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}; set SETSCREW_CORPUS")

CORE = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- ../crds
- ../cluster-rbac/application-controller
- ../base/config
- ../base/application-controller
- ../base/applicationset-controller
- ../base/repo-server
- ../base/redis
images:
"""
SVELTOS = """
resources:
- ../../base
- drift-detection-manager.yaml
- drift_detection_manager_rbac.yaml
- extra-role-agentless.yaml
- sveltos-agent.yaml
- sveltos_agent_rbac.yaml
patches:
- path: addon-controller.yaml
- path: classifier.yaml
- path: event-manager.yaml
- path: healthcheck-manager.yaml
- path: shard-controller.yaml
"""
KUSTOMIZED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "argo-cd as it is": (
        *("argo-cd", "core-install", {}),
        f"{CORE}- {{name: quay.io/argoproj/argocd, newName: quay.io/argoproj/argocd, newTag: latest}}\n",
    ),
    "argo-cd with another image, names, replicas and labels": (
        *("argo-cd", "core-install"),
        {
            "images": ["quay.io/argoproj/argocd=*:v3.5.1", "redis=mirror.example.com/redis@sha256:" + "0" * 64],
            "namePrefix": "one-",
            "nameSuffix": "-a",
            "replicas": [{"name": "argocd-repo-server", "count": 3}],
            "commonLabels": {"team": "$ARGOCD_APP_NAME"},
            "commonAnnotations": {"kept": "$ARGOCD_APP_NAME"},
            "namespace": "other",
        },
        f"""{CORE}
- {{name: quay.io/argoproj/argocd, newName: quay.io/argoproj/argocd, newTag: v3.5.1}}
- {{name: redis, newName: mirror.example.com/redis, digest: "sha256:{"0" * 64}"}}
namePrefix: one-
nameSuffix: -a
replicas: [{{name: argocd-repo-server, count: 3}}]
commonLabels: {{team: shop}}
commonAnnotations: {{kept: $ARGOCD_APP_NAME}}
namespace: other
""",
    ),
    "sveltos with a patch, a component that is there and one that is not": (
        *("sveltos", "overlays/agentless-mode"),
        {
            "patches": [
                {
                    "target": {"kind": "Deployment", "name": "addon-controller"},
                    "patch": '[{"op": "replace", "path": "/spec/replicas", "value": 4}]',
                }
            ],
            "components": ["../../components/crds-nowhere"],
            "ignoreMissingComponents": True,
            "commonLabels": {"team": "a"},
            "labelWithoutSelector": True,
            "labelIncludeTemplates": True,
        },
        f"""{SVELTOS}
- target: {{kind: Deployment, name: addon-controller}}
  patch: '[{{"op": "replace", "path": "/spec/replicas", "value": 4}}]'
labels: [{{pairs: {{team: a}}, includeTemplates: true}}]
""",
    ),
}


@needs_corpus
@pytest.mark.parametrize("case", KUSTOMIZED)
def test_a_published_kustomization_builds_to_the_same(case: str, tmp_path: Path, tools: RenderTools) -> None:
    repository, path, options, by_hand = KUSTOMIZED[case]
    source = {"path": path, **({"kustomize": options} if options else {})}
    found = ours(adopted(source, CORPUS / repository, tools))
    shutil.copytree(CORPUS / repository, tmp_path / "copy")
    (tmp_path / "copy" / path / "kustomization.yaml").write_text(by_hand)
    assert found == run(tools.kubectl, "kustomize", tmp_path / "copy" / path)


CHARTS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "kueue as it is": ("kueue", {}, ["--include-crds"]),
    "kueue with parameters and values": (
        "kueue",
        {
            "releaseName": "queues",
            "namespace": "queues",
            "values": "enablePrometheus: false\ncontrollerManager: {manager: {logLevel: 4}}\n",
            "parameters": [
                {"name": "controllerManager.manager.image.tag", "value": "0123", "forceString": True},
                {"name": "controllerManager.manager.image.pullPolicy", "value": "IfNotPresent"},
                {"name": "controllerManager.replicas", "value": "2"},
                {"name": r"controllerManager.manager.podAnnotations.example\.com/list", "value": "a,b"},
                {"name": "controllerManager.featureGates[0].name", "value": "PartialAdmission"},
                {"name": "controllerManager.featureGates[0].enabled", "value": "true"},
            ],
            "skipCrds": True,
            "apiVersions": ["monitoring.coreos.com/v1/ServiceMonitor"],
        },
        [
            *("--values", "{values}", "--api-versions", "monitoring.coreos.com/v1/ServiceMonitor"),
            *("--set-string", "controllerManager.manager.image.tag=0123"),
            *("--set", "controllerManager.manager.image.pullPolicy=IfNotPresent"),
            *("--set", "controllerManager.replicas=2"),
            *("--set", r"controllerManager.manager.podAnnotations.example\.com/list=a\,b"),
            *("--set", "controllerManager.featureGates[0].name=PartialAdmission"),
            *("--set", "controllerManager.featureGates[0].enabled=true"),
        ],
    ),
    "gpu-operator as it is": ("gpu-operator", {}, ["--include-crds"]),
    "gpu-operator with nulls": (
        "gpu-operator",
        {
            "valuesObject": {
                "operator": {"resources": None, "priorityClassName": "high"},
                "daemonsets": {"labels": None},
            }
        },
        ["--include-crds", "--values", "{values}"],
    ),
}


@needs_corpus
@pytest.mark.parametrize("case", CHARTS)
def test_a_published_chart_renders_to_the_same(case: str, tmp_path: Path, tools: RenderTools) -> None:
    path, options, command = CHARTS[case]
    source = {"path": path, **({"helm": options} if options else {})}
    found = adopted(source, CORPUS, tools)
    values = write(tmp_path, {"v": options.get("values") or json.dumps(options.get("valuesObject", {}))}) / "v"
    direct = helm(
        tools,
        CORPUS / path,
        *(word.format(values=values) if word == "{values}" else word for word in command),
        release=options.get("releaseName", "shop"),
        namespace=options.get("namespace", "web"),
    )
    made_anew = [one for one in found.objects if one.generated]
    assert [one for one in ours(found) if one not in direct] == trees(one.tree for one in made_anew)
    assert len(found.objects) == len(direct)


# --------------------------------------------------------------------------------------------- values of a chart

CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n",
    "chart/values.yaml": "a: chart\nkeep: {one: 1, two: 2}\nlist: [1, 2]\nnumber: 1\n",
    "chart/templates/all.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
        'data:\n  values: {{ .Values | toJson | quote }}\n  number: {{ printf "%T" .Values.number | quote }}\n'
        '  release: {{ printf "%s %v" .Release.Namespace .Release.IsUpgrade | quote }}\n'
    ),
    "chart/prod.yaml": "a: file\nkeep: {two: null}\n",
    "shared/all.yaml": "a: shared\nb: shared\n",
    "shared/text.txt": "two\nlines, and a comma\n",
}


def value_of(result: RenderResult) -> Any:
    (found,) = (one.tree["data"] for one in result.objects)
    return json.loads(found["values"])


def test_values_come_in_the_order_of_argo_cd(tmp_path: Path, tools: RenderTools) -> None:
    root = write(tmp_path / "repository", CHART)
    options = {
        "valueFiles": ["prod.yaml", "/shared/all.yaml", "missing.yaml"],
        "ignoreMissingValueFiles": True,
        "values": "a: source\nkeep: {one: null}\nlist: [3]\n",
        "parameters": [
            {"name": "a", "value": "007"},
            {"name": "number", "value": "5"},
            {"name": "text", "value": "5", "forceString": True},
            {"name": "list[1]", "value": "x"},
            {"name": "flags", "value": "{true,no}"},
        ],
        "fileParameters": [{"name": "file", "path": "../shared/text.txt"}, {"name": "files[0]", "path": "prod.yaml"}],
    }
    result = adopted({"path": "chart", "helm": options}, root, tools)
    values = write(tmp_path, {"values.yaml": options["values"]}) / "values.yaml"
    direct = helm(
        tools,
        root / "chart",
        *("--values", f"{root}/chart/prod.yaml", "--values", f"{root}/shared/all.yaml", "--values", str(values)),
        *("--set", "a=007", "--set", "number=5", "--set-string", "text=5", "--set", "list[1]=x"),
        *("--set", "flags={true,no}", "--set-file", f"file={root}/shared/text.txt"),
        *("--set-file", f"files[0]={root}/chart/prod.yaml"),
    )
    assert ours(result) == direct
    assert value_of(result)["a"] == "007"
    assert value_of(result)["keep"] == {}


def test_value_files_of_a_repository_beside_are_found_and_bounded(tmp_path: Path, tools: RenderTools) -> None:
    root = write(tmp_path / "repository", CHART)
    beside = write(tmp_path / "values", {"prod/shop.yaml": "a: beside\n"})
    source = {"path": "chart", "helm": {"valueFiles": ["$vals/prod/$ARGOCD_APP_NAME.yaml"]}}
    assert value_of(adopted(source, root, tools, vals=beside))["a"] == "beside"
    source = {"path": "chart", "helm": {"valueFiles": ["$vals/../repository/shared/all.yaml"]}}
    with pytest.raises(RenderError) as caught:
        adopted(source, root, tools, vals=beside)
    assert caught.value.code == "SS3005"


def test_a_value_file_may_only_be_missing_where_that_is_said(tmp_path: Path, tools: RenderTools) -> None:
    root = write(tmp_path, CHART)
    with pytest.raises(RenderError, match=r"missing\.yaml"):
        adopted({"path": "chart", "helm": {"valueFiles": ["missing.yaml"]}}, root, tools)


NAMES = ["a", "keep.one", "keep.new.deep", r"keep.example\.com/x", "list[0]", "list", "new[1].b", "x y", "number"]
VALUES = ["", "0", "007", "1.5", "TRUE", "Null", "~", "a,b", r"a\,b", "{a,b}", "{}", "{1,x}", "{true,null}", "+5", "-0"]
VALUES += ["yes", "0x10", "1e3", "2024-01-02", "a=b", "two\nlines", '"q"', "#c", " ", "99999999999999999999", "é"]


def check_as_helm(parameters: list[Parameter], root: Path, tools: RenderTools) -> None:
    tree, rest = as_values(parameters)
    file = write(root, {"tree.json": json.dumps(tree)}) / "tree.json"
    by_file = helm(tools, root / "chart", "--values", str(file), *map(as_option, rest))
    assert by_file == helm(tools, root / "chart", *map(as_option, parameters))


def test_the_value_of_a_parameter_means_what_it_means_to_helm(tmp_path: Path, tools: RenderTools) -> None:
    pairs = [(value, text) for value in VALUES for text in (False, True)]
    parameters = [Parameter(f"v{number}", value, as_text=text) for number, (value, text) in enumerate(pairs)]
    check_as_helm(parameters, write(tmp_path, CHART), tools)


@pytest.mark.parametrize("value", ["5", "text", "null"])
@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_parameter_means_what_it_means_to_helm(
    name: str, value: str, tmp_path: Path, tools: RenderTools
) -> None:
    check_as_helm([Parameter(name, value)], write(tmp_path, CHART), tools)


def test_a_text_wins_over_what_is_typed_whatever_the_order(tmp_path: Path, tools: RenderTools) -> None:
    parameters = [Parameter("a", "text", as_text=True), Parameter("a", "typed"), Parameter("b", "1", as_text=True)]
    check_as_helm(parameters, write(tmp_path, CHART), tools)
    assert as_values(parameters) == ({"a": "text", "b": "1"}, [])


def test_no_text_of_a_parameter_is_on_the_command_line(tmp_path: Path, tools: RenderTools) -> None:
    parameters = [
        Parameter("db.password", "s3cret"),
        Parameter("db.port", "5432"),
        Parameter("db.user", "1", as_text=True),
    ]
    tree, rest = as_values(parameters)
    assert tree == {"db": {"password": "s3cret", "user": "1"}}
    assert [as_option(one) for one in rest] == ["--set=db.port=5432"]


# ------------------------------------------------------------------------------------------------ plain manifests

POD = "apiVersion: v1\nkind: Pod\nmetadata: {{name: {0}}}\n"


def directory(root: Path, tools: RenderTools, **options: Any) -> tuple[list[str], tuple[str, ...]]:
    result = adopted({"path": "d", "directory": options}, root, tools)
    return [found.ref.name for found in result.objects], result.notes


def test_a_directory_is_read_as_argo_cd_reads_it(tmp_path: Path, tools: RenderTools) -> None:
    files = ["a.yaml", "b.yml", "c.json", "README.md", "deep/d.yaml", "deep/test/e.yaml"]
    objects = {name: {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": Path(name).stem}} for name in files}
    root = write(tmp_path, {f"d/{name}": json.dumps(tree) for name, tree in objects.items()})
    assert directory(root, tools)[0] == ["a", "b", "c"]
    assert directory(root, tools, recurse=True)[0] == ["a", "b", "c", "d", "e"]
    assert directory(root, tools, recurse=True, exclude="{deep/test/*,b.yml}")[0] == ["a", "c", "d"]
    assert directory(root, tools, recurse=True, include="*.yaml", exclude="a*")[0] == ["d", "e"]


def test_what_argo_cd_passes_over_is_passed_over_with_a_note(tmp_path: Path, tools: RenderTools) -> None:
    root = write(
        tmp_path,
        {
            "d/pod.yaml": POD.format("kept"),
            "d/values.yaml": "replicas: 1\n",
            "d/skipped.yaml": f"# +argocd:skip-file-rendering\n{POD.format('skipped')}",
            "d/hook.yaml": POD.format("hook").replace("}", ", annotations: {argocd.argoproj.io/hook: PreSync}}"),
        },
    )
    names, notes = directory(root, tools)
    assert names == ["kept"]
    assert [note.partition(":")[0] for note in notes] == ["passed over", "passed over", "left out"]


def test_of_two_manifests_for_one_object_the_last_counts(tmp_path: Path, tools: RenderTools) -> None:
    root = write(tmp_path, {"d/a.yaml": POD.format("x"), "d/b.yaml": POD.format("x").replace("}", ", labels: {a: b}}")})
    result = adopted({"path": "d", "directory": {}}, root, tools)
    assert [found.provenance.file for found in result.objects] == ["d/b.yaml"]
    assert "is declared twice" in result.notes[0]


def test_jsonnet_is_refused_unless_it_is_excluded(tmp_path: Path, tools: RenderTools) -> None:
    root = write(tmp_path, {"d/a.yaml": POD.format("x"), "d/lib.jsonnet": "{}"})
    with pytest.raises(RenderError, match="jsonnet is not evaluated"):
        directory(root, tools)
    assert directory(root, tools, exclude="*.jsonnet")[0] == ["x"]


def test_a_file_that_would_change_the_source_is_refused_not_forgotten(tmp_path: Path, tools: RenderTools) -> None:
    root = write(tmp_path, {"d/a.yaml": POD.format("x"), "d/.argocd-source-other.yaml": "kustomize: {}\n"})
    assert directory(root, tools)[0] == ["x"]
    write(root, {"d/.argocd-source-shop.yaml": "kustomize: {images: [a:1]}\n"})
    with pytest.raises(RenderError, match=r"argocd-source-shop\.yaml changes what is rendered"):
        directory(root, tools)


# --------------------------------------------------------------------------------------------- walls stay in place


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"components": ["https://example.com/c"]}, "SS3006"),
        ({"components": ["../../outside"]}, "SS3006"),
        ({"components": ["nowhere"]}, "SS3006"),
        ({"patches": [{"path": "../../outside/secret.yaml"}]}, "SS3006"),
    ],
)
def test_what_an_application_adds_stays_inside_the_repository(
    options: dict[str, Any], code: str, tmp_path: Path, tools: RenderTools
) -> None:
    write(tmp_path, {"outside/secret.yaml": POD.format("x"), "outside/kustomization.yaml": "resources: []\n"})
    root = write(
        tmp_path / "repository", {"k/kustomization.yaml": "resources: [p.yaml]\n", "k/p.yaml": POD.format("x")}
    )
    with pytest.raises(RenderError) as caught:
        adopted({"path": "k", "kustomize": options}, root, tools)
    assert caught.value.code == code
