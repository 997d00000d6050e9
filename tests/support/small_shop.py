"""Owns a small desired state for stages of tests: a shop with a Secret, a GPU class, a chart. Must not judge."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from contextlib import closing
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from setscrew.cli.common import rendered
from setscrew.demo.stage import Stage, dump
from webhook.tls.files import ensure

PLAIN_SECRET = "plain-9d1c-never-print"
OTHER_SECRET = "other-4b7e-never-print"
SECRETS = tuple(
    form for text in (PLAIN_SECRET, OTHER_SECRET) for form in (text, base64.b64encode(text.encode()).decode())
)

SHOP = f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: shop, labels: {{team: shop}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels: {{app: web}}
  annotations: {{owner: dana}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        env:
        - {{name: MODE, value: production}}
        ports: [{{containerPort: 8080}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: worker, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: worker}}}}
  template:
    metadata: {{labels: {{app: worker}}}}
    spec:
      containers: [{{name: worker, image: registry.example.com/worker:1}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: worker, namespace: shop}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: worker}}
  minReplicas: 1
  maxReplicas: 5
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings, namespace: shop}}
data: {{mode: production}}
---
apiVersion: v1
kind: Secret
metadata: {{name: db, namespace: shop}}
stringData: {{password: {PLAIN_SECRET}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: shop}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
"""
GPU = """\
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: a100}
spec:
  selectors:
  - cel: {expression: 'device.driver == "gpu.nvidia.com"'}
"""
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: cache\nversion: 0.1.0\n",
    "values.yaml": "size: 64\n",
    "templates/settings.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cache, namespace: shop}\n"
        "data: {size: {{ .Values.size | quote }}}\n"
    ),
}
SOURCES: dict[str, dict[str, Any]] = {
    "shop": {"path": "shop", "render": {"kind": "YAML"}},
    "cache": {"path": "cache", "render": {"kind": "Helm", "namespace": "shop"}},
}


def fill(work: Path) -> None:
    """Write the desired state into a working copy."""
    files = {"shop/shop.yaml": SHOP, "shop/gpu.yaml": GPU} | {f"cache/{name}": text for name, text in CHART.items()}
    for name, text in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def synced_stage(stage: Stage) -> Stage:
    """Start Setscrew on `stage`, sync as the GitOps identity, and wait until all is confirmed and guarded."""
    stage.start_setscrew()
    sync(stage)
    stage.wait("server forms", lambda: not stage.unconfirmed())
    stage.wait("the guard", stage.guarded)
    return stage


def sync(stage: Stage) -> None:
    """What the GitOps controller does with the working copy."""
    directories = [stage.repository.work / name for name in SOURCES]
    found = [tree for directory in directories for tree in _trees(directory, _content(directory))]
    trees = sorted(found, key=lambda tree: tree["kind"] != "Namespace")
    # kubectl's own check of fields reads all schemas of the API server first, each time.
    options = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller", "--validate=false")
    stage.plane.kubectl("apply", *options, "-f", "-", kubeconfig=stage.gitops, input=dump(trees))


def _content(directory: Path) -> tuple[tuple[str, bytes], ...]:
    return tuple((str(path), path.read_bytes()) for path in sorted(directory.rglob("*")) if path.is_file())


@lru_cache(maxsize=8)
def _trees(directory: Path, _: tuple[tuple[str, bytes], ...]) -> list[dict[str, Any]]:
    """What a directory with that content renders to: modules sync after each of their tests."""
    return [one.tree for one in rendered(directory, "shop").objects]


def edit(stage: Stage, name: str, text: str, subject: str) -> tuple[str, str]:
    """Commit and push one file; returns the commit and the hook's talk."""
    (stage.repository.work / name).write_text(text)
    commit = stage.repository.commit(subject)
    return commit, stage.repository.push()


def ask(stage: Stage, path: str) -> dict[str, Any]:
    """One GET of the API server with its token."""
    from setscrew.api_client import get_json
    from setscrew.api_files import read_address, read_token

    address = read_address(stage.state_dir)
    return get_json(address.url, read_token(address.token_file), path, {})


def source(stage: Stage, name: str) -> dict[str, Any]:
    """One source as `/api/v1/sources` tells it."""
    found: dict[str, Any] = next(item for item in ask(stage, "/api/v1/sources")["items"] if item["name"] == name)
    return found


def post(stage: Stage, body: bytes, path: str = "/validate", content_type: str = "application/json") -> tuple[int, Any]:
    """One POST to the running admission server over TLS: status and decoded JSON."""
    files = ensure(stage.state_dir / "tls", ("127.0.0.1", "localhost"), datetime.now(UTC))
    context = ssl.create_default_context(cadata=files.ca_bundle.decode())
    connection = http.client.HTTPSConnection("127.0.0.1", stage.admission_port, context=context, timeout=30)
    with closing(connection):
        connection.request("POST", path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def documents(text: str) -> list[dict[str, Any]]:
    """The documents of a manifest."""
    return [document for document in yaml.safe_load_all(text) if document]
