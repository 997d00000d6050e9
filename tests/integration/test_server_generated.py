"""Holds that what a chart makes anew at each render is no drift, changes no snapshot, and is told.

On a stage with a real chart, real helm and a real API server: a restart renders all of it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.own import OFF, REGISTRATION
from setscrew.cli.common import rendered
from setscrew.demo.stage import Stage, dump
from tests.support import small_shop

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: made\nversion: 0.1.0\n",
    "templates/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
    "templates/secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: made, namespace: shop}\n"
        "stringData: {password: {{ randAlphaNum 16 | quote }}, user: admin}\n"
    ),
    "templates/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {checksum: {{ include (print $.Template.BasePath "/secret.yaml") . | sha256sum }}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        args: ["--seed={{ randAlphaNum 8 }}", "--mode=production"]
""",
}


def fill(work: Path) -> None:
    for name, text in CHART.items():
        path = work / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def stage(alone: None) -> Iterator[Stage]:
    with Stage(
        {"made": {"path": "made", "render": {"kind": "Helm", "namespace": "shop"}}}, fill, scan_seconds=1
    ) as one:
        one.start_setscrew()
        sync(one)
        one.wait("server forms", lambda: one.unconfirmed() == [])
        one.wait("the guard", one.guarded)
        yield one


def sync(stage: Stage) -> bool:
    """What the GitOps controller does, which renders by itself: its values are others than ours."""
    trees = [one.tree for one in rendered(stage.repository.work / "made", "shop").objects]
    options = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")
    trees.sort(key=lambda tree: tree["kind"] != "Namespace")
    done = stage.plane.kubectl("apply", *options, "-f", "-", kubeconfig=stage.gitops, input=dump(trees), check=False)
    return done.returncode == 0


def findings(stage: Stage) -> dict[str, list[str]]:
    items = (stage.drift() or {"items": []})["items"]
    return {item["name"]: [change["field"] for change in item.get("changes", ())] for item in items}


def password(stage: Stage) -> Any:
    secret = json.loads(stage.plane.kubectl("get", "secret", "made", "-n", "shop", "-o", "json").stdout)
    return secret["data"]["password"]


def test_values_that_another_render_has_made_are_no_drift(stage: Stage) -> None:
    stage.wait("a look without findings", lambda: (stage.drift() or {"items": [1]})["items"] == [])
    assert stage.drift()["summary"]["managed"] == 3  # type: ignore[index]
    assert {"generated-values": 3}.items() <= stage.drift()["summary"]["hidden"].items()  # type: ignore[index]


def test_a_chart_that_makes_values_is_told_aloud(stage: Stage) -> None:
    source = small_shop.source(stage, "made")
    assert source["state"] == "Ready"
    for said in (source["message"], stage.log):
        assert "generated anew at each render, compared by presence only: Secret shop/made" in said
        assert "/spec/template/spec/containers/0/args/0" in said


def test_each_sync_may_bring_values_of_its_own(stage: Stage) -> None:
    before = password(stage)
    assert sync(stage)
    assert password(stage) != before


def test_a_second_render_of_the_same_revision_changes_nothing(stage: Stage) -> None:
    before = stage.snapshot().digest
    assert stage.stop_setscrew() == 0
    stage.start_setscrew()
    stage.wait("the guard", stage.guarded)
    stage.wait("server forms", lambda: stage.unconfirmed() == [])
    assert stage.snapshot().digest == before
    assert f"snapshot {before[:12]}" in stage.log.rpartition("guarding from")[0]
    assert findings(stage) == {}


def test_what_stands_beside_such_a_value_is_guarded(stage: Stage) -> None:
    patch = '[{"op":"replace","path":"/spec/template/spec/containers/0/args/1","value":"--mode=test"}]'
    done = stage.plane.kubectl("patch", "deploy", "web", "-n", "shop", "--type=json", "-p", patch, check=False)
    assert "args[1]" in done.stderr


def test_a_value_that_is_gone_is_missed(stage: Stage) -> None:
    off = json.dumps({"metadata": {"annotations": {OFF: "a test"}}, "webhooks": []})
    stage.plane.kubectl("patch", "validatingwebhookconfiguration", REGISTRATION, "--type=merge", "-p", off)
    patch = '[{"op":"remove","path":"/data/password"}]'
    stage.wait(
        "an open door",
        lambda: (
            stage.plane.kubectl(
                "patch", "secret", "made", "-n", "shop", "--type=json", "-p", patch, check=False
            ).returncode
            == 0
        ),
    )
    stage.wait("the finding", lambda: findings(stage).get("made") == ["data.password"])
    assert set(findings(stage)) == {"made"}
