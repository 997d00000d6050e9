"""Owns what every rendered object must be: its shape, its uniqueness, no hook. Pure; must not know renderers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from reconciler import limits
from reconciler.errors import RenderError
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.render.detect import Renderer
from reconciler.render.spec import RenderSpec, Tool

HOOK: Final = "helm.sh/hook"
# What each tool runs as a hook instead of keeping it; to Flux, Helm's own are hooks only in what Helm installs.
_HOOKS: Final[dict[Tool, dict[str, str]]] = {
    "": {HOOK: "a Helm hook"},
    "ArgoCD": {HOOK: "a Helm hook", "argocd.argoproj.io/hook": "a hook of Argo CD"},
    "Flux": {HOOK: "a Helm hook"},
}


def _hooks(tool: Tool, generator: Renderer) -> dict[str, str]:
    return {} if tool == "Flux" and generator != "helm" else _HOOKS[tool]


class Collector:
    """Turns the child's lines into objects and notes, and refuses what is no object or stands twice."""

    def __init__(self, spec: RenderSpec, generator: Renderer, prefix: str = "") -> None:
        self._spec = spec
        self._generator = generator
        self._prefix = prefix
        self._objects: dict[ObjectRef, RenderedObject] = {}
        self.notes: list[str] = []
        self.loader = ""

    @property
    def objects(self) -> list[RenderedObject]:
        """What has been taken, in its order."""
        return list(self._objects.values())

    def take(self, lines: Iterable[dict[str, Any]]) -> None:
        """Add the child's lines. Raises RenderError with file and line."""
        for line in lines:
            if "tree" in line:
                self._object(line)
            elif "note" in line:
                self.notes.append(line["note"])
            else:
                self.loader = line.get("loader", "")

    def _object(self, line: dict[str, Any]) -> None:
        file = f"{self._prefix}{line['file']}"
        provenance = Provenance(
            self._spec.source, self._spec.revision, file, line["line"], line["document"], self._generator
        )
        check_shape(line["tree"], provenance)
        found = RenderedObject(line["tree"], provenance)
        for key, called in _hooks(self._spec.tool, self._generator).items():
            if isinstance(hook := dig(found.tree, "metadata", "annotations", key), str):
                self.notes.append(f"left out: {found.ref} is {called} ({hook}), at {provenance.place}")
                return
        self._once(found)
        if len(self._objects) > limits.RENDERED_OBJECTS:
            raise RenderError(f"more than {limits.RENDERED_OBJECTS} objects", code="SS3023")

    def _once(self, found: RenderedObject) -> None:
        ref = found.ref
        key = ref._replace(namespace=ref.namespace or self._spec.namespace or "default")
        first = self._objects.pop(key, None)
        if first is not None and self._spec.tool == "ArgoCD":
            self.notes.append(f"{ref} is declared twice, {found.provenance.place} wins over {first.provenance.place}")
        elif first is not None:
            raise RenderError(
                f"{ref} is declared twice, first at {first.provenance.place}",
                where=found.provenance.place,
                hint="remove one of them",
                code="SS3008",
            )
        self._objects[key] = found


def check_shape(tree: Tree, provenance: Provenance) -> None:
    """Raises RenderError unless `tree` has a string apiVersion, kind and metadata.name, and string label values."""
    where = provenance.place
    if not isinstance(tree, dict):
        raise RenderError("not a Kubernetes object: a mapping is needed", where=where, code="SS3007")
    metadata = tree.get("metadata")
    for name, value in (
        ("apiVersion", tree.get("apiVersion")),
        ("kind", tree.get("kind")),
        ("metadata.name", metadata.get("name") if isinstance(metadata, dict) else None),
    ):
        if not isinstance(value, str) or not value:
            what = "is missing" if value is None or value == "" else "is not a string"
            raise RenderError(f"not a Kubernetes object: {name} {what}", where=where, code="SS3007")
    namespace = tree["metadata"].get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        raise RenderError("metadata.namespace is not a string", where=where, code="SS3007")
    annotations = tree["metadata"].get("annotations")
    if annotations is not None and not isinstance(annotations, dict):
        raise RenderError("metadata.annotations is not a mapping", where=where, code="SS3007")
