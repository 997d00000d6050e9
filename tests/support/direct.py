"""Owns what the real helm and kubectl make of a directory when they are called directly, to hold our rendering to it.

Must not call our own renderer.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reconciler.loop.generated import without_generated
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from reconciler.render.spec import KUBE_VERSION, RenderTools
from reconciler.render.yaml_loader import load_documents

Direct = Mapping[ObjectRef, Tree]
"""Objects of a tool's own output, by identity; hooks are left out."""


def direct(command: list[str]) -> Direct:
    """What a command prints. Raises CalledProcessError."""
    done = subprocess.run(command, capture_output=True, check=True, env={"KUBECONFIG": "/dev/null"})
    found = [document.tree for document in load_documents(done.stdout, "output")]
    plain = [tree for tree in found if "helm.sh/hook" not in (tree["metadata"].get("annotations") or {})]
    return {RenderedObject(tree, Provenance()).ref: tree for tree in plain}


def kustomize(tools: RenderTools, directory: Path) -> Direct:
    """`kubectl kustomize`."""
    return direct([str(tools.kubectl), "kustomize", str(directory)])


def helm(
    tools: RenderTools, chart: Path, release: str, namespace: str, values: Mapping[str, Any] | None = None
) -> Direct:
    """`helm template` of a release, with its CRDs, for a cluster of the version that we take where there is none."""
    sets = [f"--set={key}={json.dumps(value)}" for key, value in (values or {}).items()]
    command = [str(tools.helm), "template", release, str(chart), f"--namespace={namespace}", "--include-crds"]
    return direct([*command, f"--kube-version={KUBE_VERSION}", "--skip-tests", "--no-hooks", *sets])


def check_same(found: Iterable[RenderedObject], expected: Direct) -> None:
    """All objects with all they say, as canonical JSON; what is random differs by nature."""
    objects = list(found)
    assert sorted(one.ref for one in objects) == sorted(expected)
    for one in objects:
        assert _text(one.tree, one.generated) == _text(expected[one.ref], one.generated), one.ref


def _text(tree: Tree, generated: tuple[str, ...]) -> str:
    return json.dumps(without_generated(tree, generated), sort_keys=True)
