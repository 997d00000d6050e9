"""What a chart or a kustomization makes of its files comes into Git where it stands in one of them, else is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.render.spec import RenderTools
from setscrew.controlplane import ensure
from setscrew.into_git.written import NotAdoptableError
from tests.support.source_site import Site

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web   # the server
        image: registry.example.com/web:1
"""
KUSTOMIZED = {
    "base/web.yaml": DEPLOYMENT,
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "deploy/kustomization.yaml": (
        "namespace: shop\nresources:\n- ../base\n- page.yaml   # one page\n- other.yaml\n"
        "images:\n- name: registry.example.com/web\n  newTag: '7'\n"
    ),
    "deploy/page.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page}\ndata: {a: b}\n",
    "deploy/other.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n",
}
TEMPLATE = """\
{{- /* The server of the shop,
   as it runs everywhere. */}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    {{- include "shop.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  minReadySeconds: 5   # literal
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: "{{ .Values.image }}:1"
        {{- if .Values.quick }}
        args: [--quick]
        {{- end }}
"""
CHART = {
    "deploy/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "deploy/values.yaml": "replicas: 2\nimage: registry.example.com/web\nquick: true\n",
    "deploy/templates/_labels.tpl": '{{- define "shop.labels" -}}\napp: web\n{{- end }}\n',
    "deploy/templates/web.yaml": TEMPLATE,
}


@pytest.fixture(scope="module")
def tools() -> RenderTools:
    found = ensure(["kubectl", "helm"])
    return RenderTools(found.path("helm"), found.path("kubectl"))


def test_a_value_of_a_base_is_changed_there_and_the_place_is_said(tmp_path: Path, tools: RenderTools) -> None:
    site = Site(tmp_path, KUSTOMIZED, tools)
    live = site.live("web")
    live["spec"]["replicas"] = 4
    adoption = site.adopt(live)
    assert site.applied(adoption) == ["-  replicas: 2", "+  replicas: 4"]
    assert adoption.remarks == ["base/web.yaml lies outside deploy: other sources may be made of it, too"]


def test_what_the_kustomization_makes_is_named_with_its_place(tmp_path: Path, tools: RenderTools) -> None:
    site = Site(tmp_path, KUSTOMIZED, tools)
    live = site.live("web")
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/web:8"
    with pytest.raises(NotAdoptableError, match="image does not stand there as it is rendered") as refused:
        site.adopt(live)
    assert refused.value.where == "base/web.yaml:13"
    assert "the kustomization changes it on the way" in refused.value.hint


def test_a_patch_that_would_not_end_the_drift_is_not_made(tmp_path: Path, tools: RenderTools) -> None:
    counted = KUSTOMIZED["deploy/kustomization.yaml"] + "replicas:\n- {name: web, count: 2}\n"
    site = Site(tmp_path, {**KUSTOMIZED, "deploy/kustomization.yaml": counted}, tools)
    live = site.live("web")
    live["spec"]["replicas"] = 4
    with pytest.raises(NotAdoptableError, match=r"would still differ from what is live: spec\.replicas"):
        site.adopt(live)
    assert (tmp_path / "base/web.yaml").read_text() == DEPLOYMENT


def test_a_kustomization_names_new_files_and_forgets_those_that_go(tmp_path: Path, tools: RenderTools) -> None:
    site = Site(tmp_path, KUSTOMIZED, tools)
    extra = {**site.live("page"), "metadata": {"name": "extra", "namespace": "shop"}}
    added = site.applied(site.adopt(extra))
    assert "+- configmap-extra.yaml" in added
    assert not [row for row in added if row.startswith("-")]
    page = site.into.gone(site.entry("ConfigMap", "other"))
    assert "-- other.yaml" in site.applied(page)
    assert {one.ref.name for one in site.tree.objects()} == {"web", "page", "extra"}


def test_a_literal_of_a_template_is_changed_and_expressions_stay(tmp_path: Path, tools: RenderTools) -> None:
    site = Site(tmp_path, CHART, tools)
    live = site.live("web")
    live["spec"]["minReadySeconds"] = 9
    live["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    assert site.applied(site.adopt(live)) == [
        "-  minReadySeconds: 5   # literal",
        "+  minReadySeconds: 9   # literal",
        "+        imagePullPolicy: Always",
    ]


@pytest.mark.parametrize(
    ("field", "expression", "line"),
    [("replicas", "{{ .Values.replicas }}", 10), ("image", "{{ .Values.image }}", 18), ("label", "", 7)],
)
def test_what_a_template_makes_is_named_with_its_expression(
    tmp_path: Path, tools: RenderTools, field: str, expression: str, line: int
) -> None:
    site = Site(tmp_path, CHART, tools)
    live = site.live("web")
    if field == "replicas":
        live["spec"]["replicas"] = 3
    elif field == "image":
        live["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/web:2"
    else:
        live["metadata"]["labels"]["app"] = "other"
    with pytest.raises(NotAdoptableError) as refused:
        site.adopt(live)
    assert expression in refused.value.message
    assert refused.value.where == f"deploy/templates/web.yaml:{line}"
    assert refused.value.hint == "a template or a value of the chart makes it: change that"
