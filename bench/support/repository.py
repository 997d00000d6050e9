"""Owns the repository of the benchmark of pushes: many sources, of plain YAML, kustomizations and charts. No timing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

_KINDS: Final = ("YAML", "Kustomize", "Helm")
_APP: Final = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: SPACE, labels: {app: NAME}}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        env: [{name: MODE, value: production}, {name: LEVEL, value: info}]
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
        ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: SPACE}
spec: {selector: {app: NAME}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME, namespace: SPACE}
data: {level: info, "application.yaml": "server:\\n  port: 8080\\n  name: NAME\\n"}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME, namespace: SPACE}
"""
OBJECTS_AN_APP: Final = 4


def fill(work: Path, sources: int, apps: int) -> dict[str, dict[str, Any]]:
    """Write `sources` directories of `apps` applications each, one file an application; the GitSource specs by name."""
    return {f"team-{number}": _source(work, number, apps) for number in range(sources)}


def first_file(work: Path) -> Path:
    """A file of the first source, which is plain YAML: change it to change one application."""
    return work / "team-0" / "app-0.yaml"


def _source(work: Path, number: int, apps: int) -> dict[str, Any]:
    kind, name = _KINDS[number % len(_KINDS)], f"team-{number}"
    place = work / name
    files: Mapping[str, str] = {
        f"app-{app}.yaml": _APP.replace("NAME", f"app-{app}").replace("SPACE", name) for app in range(apps)
    }
    if kind == "Helm":
        _write(place, {"Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n"})
        _write(place / "templates", files)
    else:
        _write(place, files)
    if kind == "Kustomize":
        _write(place, {"kustomization.yaml": yaml.safe_dump({"resources": list(files)})})
    return {"path": name, "render": {"kind": kind}}


def _write(place: Path, files: Mapping[str, str]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text)
