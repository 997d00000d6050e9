"""`setscrew run --adopt`: what Argo CD's and Flux's own objects manage is guarded with nothing else configured.

The definitions are real objects of a real API server; the tools themselves do not run here, so what they would have
applied is applied by their service account or by an administrator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from setscrew.demo.stage import Stage, dump
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

CRDS = Path(__file__).parents[1] / "cases" / "adopt" / "definitions.crds.yaml"
RED = "colour: red"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: %s, free: %s}\n"
FILES = {
    "plain/one.yaml": MAP % ("plain", "one", "one"),
    "chart/Chart.yaml": "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
    "chart/values.yaml": "name: wrong\n",
    "chart/templates/one.yaml": MAP % ("'{{ .Values.name }}'", "'{{ .Release.Name }}'", "x"),
    "overlay/one.yaml": MAP % ("overlay", "'${colour}'", "'size ${size:=7}'"),
    "released/Chart.yaml": "apiVersion: v2\nname: released\nversion: 1.0.0\n",
    "released/templates/one.yaml": MAP % ("released", "'{{ .Values.colour }}'", "x"),
    "apps/child.yaml": "",
    "late/one.yaml": MAP % ("late", "one", "one"),
    "child/one.yaml": MAP % ("child", "one", "one"),
}
SOURCES = {
    "application-argocd-shop-plain",
    "application-argocd-shop-chart",
    "application-argocd-shop-apps",
    "application-argocd-shop-child",
    "kustomization-flux-system-overlay",
    "helmrelease-flux-system-released",
}
WANT = {"plain": "one", "chart-map": "shop-chart", "overlay": "blue", "released": "red", "child": "one"}


def application(name: str, url: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            "source": {"repoURL": url, "targetRevision": "main", **spec.pop("source", {})},
            **spec,
        },
    }


def flux(group: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    version = f"{group}.toolkit.fluxcd.io/{'v2' if group == 'helm' else 'v1'}"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "flux-system"}, "spec": spec}


def definitions(url: str) -> list[dict[str, Any]]:
    repository = {"kind": "GitRepository", "name": "deploy"}
    ignored = [
        {"group": "", "kind": "ConfigMap", "name": "plain", "jsonPointers": ["/data/free"]},
        {"group": "", "kind": "ConfigMap", "managedFieldsManagers": ["somebody"]},
    ]
    return [
        application("shop-plain", url, source={"path": "plain"}, ignoreDifferences=ignored),
        application(
            "shop-chart",
            url,
            source={"path": "chart", "helm": {"parameters": [{"name": "name", "value": "chart-map"}]}},
        ),
        application("shop-plugin", url, source={"path": "plain", "plugin": {"name": "mine"}}),
        application("shop-apps", url, source={"path": "apps"}),
        flux("source", "GitRepository", "deploy", {"url": url, "ref": {"branch": "main"}, "interval": "1m"}),
        flux(
            "kustomize",
            "Kustomization",
            "overlay",
            {
                "sourceRef": repository,
                "path": "./overlay",
                "targetNamespace": "shop",
                "prune": True,
                "postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "colours"}]},
            },
        ),
        flux(
            "helm",
            "HelmRelease",
            "released",
            {
                "chart": {"spec": {"chart": "./released", "sourceRef": repository}},
                "targetNamespace": "shop",
                "valuesFrom": [{"kind": "Secret", "name": "values"}],
            },
        ),
    ]


def fill(work: Path) -> None:
    for name, text in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage({}, fill, run_options=("--adopt",)) as found:
        url = found.repository.url
        child = application("shop-child", url, source={"path": "child"})
        (found.repository.work / "apps" / "child.yaml").write_text(yaml.safe_dump(child))
        found.repository.commit("An application of applications")
        found.repository.push()
        found.plane.kubectl("apply", "-f", CRDS)
        found.plane.kubectl("wait", "--for=condition=Established", "-f", CRDS, "--timeout=60s")
        for namespace in ("argocd", "flux-system", "shop"):
            found.plane.kubectl("create", "namespace", namespace, check=False)
        colours = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours", "namespace": "flux-system"}}
        values = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "values", "namespace": "flux-system"}}
        found.plane.kubectl(
            "apply", "-f", "-",
            input=dump([colours | {"data": {"colour": "blue"}}, values | {"stringData": {"values.yaml": RED}}]),
        )  # fmt: skip
        eventually(
            lambda: found.plane.kubectl("apply", "-f", "-", input=dump(definitions(url)), check=False).returncode == 0,
            "definitions are taken",
        )
        for name, value in WANT.items():
            free = {"overlay": "size 7", "chart-map": "x", "released": "x"}.get(name, "one")
            tree = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "shop"},
                "data": {"a": value, "free": free},
            }
            found.plane.kubectl("apply", "-f", "-", input=dump([tree]))
        found.start_setscrew()
        found.wait("all that is adopted", lambda: enforced(found) == {*WANT, "shop-child"})
        found.wait("the guard", found.guarded)
        yield found


def enforced(stage: Stage) -> set[str]:
    snapshot = stage.snapshot()
    return set() if snapshot is None else {entry.object.ref.name for entry in snapshot.entries()}


def edited(stage: Stage, name: str, key: str = "a", value: str = "evil") -> str:
    """What the API server says to a person's edit, "" where it takes it."""
    patch = json.dumps({"data": {key: value}})
    arguments = ("patch", "configmap", name, "-n", "shop", "--dry-run=server", "-p", patch)
    done = stage.plane.kubectl(*arguments, kubeconfig=stage.person, check=False)
    return done.stderr if done.returncode else ""


def sources(stage: Stage) -> dict[str, dict[str, Any]]:
    from setscrew.api_client import get_json
    from setscrew.api_files import read_address, read_token

    address = read_address(stage.state_dir)
    found = get_json(address.url, read_token(address.token_file), "/api/v1/sources", {})
    return {item["name"]: item for item in found["items"]}


def ready(stage: Stage) -> set[str]:
    return {name for name, item in sources(stage).items() if item["state"] == "Ready"}


@pytest.mark.parametrize("name", WANT)
def test_what_a_definition_manages_is_guarded(stage: Stage, name: str) -> None:
    said = eventually(lambda: edited(stage, name), f"{name} is guarded")
    assert f'Git wants "{WANT[name]}"' in said or WANT[name] in said
    assert "denied the request" in said


def test_what_the_tool_ignores_is_free(stage: Stage) -> None:
    assert edited(stage, "plain", key="free") == ""
    assert "denied" in edited(stage, "child", key="free")


def test_what_cannot_be_adopted_is_named(stage: Stage) -> None:
    found = sources(stage)["application-argocd-shop-plugin"]
    assert found["state"] == "Unsupported"
    assert "plugin" in found["message"]


def test_what_can_be_adopted_in_part_says_what_is_missing(stage: Stage) -> None:
    assert "spec.ignoreDifferences[1]" in sources(stage)["application-argocd-shop-plain"]["message"]


def test_each_source_says_which_definition_it_is_of(stage: Stage) -> None:
    assert ready(stage) == SOURCES


def test_a_definition_that_a_source_declares_is_guarded_like_any_object(stage: Stage) -> None:
    def written(path: str) -> str:
        child = application("shop-child", stage.repository.url, source={"path": path})
        asked = ("create", "-f", "-", "--dry-run=server")
        return stage.plane.kubectl(*asked, input=dump([child]), kubeconfig=stage.person, check=False).stderr

    said = eventually(lambda: written("plain"), "the definition is guarded")
    assert "denied the request" in said
    assert "spec.source.path" in said
    assert written("child") == ""


def test_no_value_of_a_secret_is_said(stage: Stage) -> None:
    """What it came to is the value of a ConfigMap, and shown as such; the Secret itself is not."""
    assert RED not in stage.log


def test_a_new_definition_is_followed_and_a_removed_one_is_not(stage: Stage) -> None:
    late = application("shop-late", stage.repository.url, source={"path": "late"})
    made = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "late", "namespace": "shop"},
        "data": {"a": "one", "free": "one"},
    }
    stage.plane.kubectl("apply", "-f", "-", input=dump([made, late]))
    eventually(lambda: edited(stage, "late"), "the new one is guarded")
    stage.plane.kubectl("delete", "application", "shop-late", "-n", "argocd")
    eventually(lambda: not edited(stage, "late"), "nobody declares it any more")


def test_a_push_is_followed_in_every_source_of_the_repository(stage: Stage) -> None:
    (stage.repository.work / "plain" / "one.yaml").write_text(MAP % ("plain", "two", "one"))
    commit = stage.repository.commit("Two")
    stage.repository.push()
    stage.wait("the pushed revision", lambda: stage.enforced(commit))
    assert edited(stage, "plain", value="two") == ""
    assert 'wants "two"' in edited(stage, "plain", value="three")


def test_after_a_restart_all_of_it_is_guarded_and_was_all_the_time(stage: Stage) -> None:
    before = enforced(stage)
    stage.stop_setscrew()
    stage.start_setscrew()
    assert enforced(stage) == before
    stage.wait("the guard", stage.guarded)
    assert edited(stage, "chart-map")


def test_a_kind_that_is_gone_takes_nothing_along(stage: Stage) -> None:
    """Whoever deletes the definitions of definitions does not open what they manage, also after a restart."""
    stage.plane.kubectl("delete", "crd", "kustomizations.kustomize.toolkit.fluxcd.io")
    stage.wait("it is said", lambda: "is not served any more" in stage.log)
    assert edited(stage, "overlay")
    stage.stop_setscrew()
    stage.start_setscrew()
    stage.wait("all sources are read again", lambda: ready(stage) == SOURCES)
    assert edited(stage, "overlay")
