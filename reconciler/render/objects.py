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
from reconciler.render.spec import RenderSpec

HOOK: Final = "helm.sh/hook"


class Collector:
    """Turns the child's lines into objects and notes, and refuses what is no object or stands twice."""

    def __init__(self, spec: RenderSpec, generator: Renderer, prefix: str = "") -> None:
        self._spec = spec
        self._generator = generator
        self._prefix = prefix
        self._places: dict[ObjectRef, str] = {}
        self.objects: list[RenderedObject] = []
        self.notes: list[str] = []
        self.loader = ""

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
        hook = dig(found.tree, "metadata", "annotations", HOOK)
        if isinstance(hook, str):
            self.notes.append(f"left out: {found.ref} is a Helm hook ({hook}), at {provenance.place}")
            return
        self._once(found)
        self.objects.append(found)
        if len(self.objects) > limits.RENDERED_OBJECTS:
            raise RenderError(f"more than {limits.RENDERED_OBJECTS} objects", code="SS3002")

    def _once(self, found: RenderedObject) -> None:
        ref = found.ref
        key = ref._replace(namespace=ref.namespace or self._spec.namespace or "default")
        first = self._places.get(key)
        if first is not None:
            raise RenderError(
                f"{ref} is declared twice, first at {first}",
                where=found.provenance.place,
                hint="remove one of them",
                code="SS3008",
            )
        self._places[key] = found.provenance.place


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
            what = "is missing" if value in {None, ""} else "is not a string"
            raise RenderError(f"not a Kubernetes object: {name} {what}", where=where, code="SS3007")
    namespace = tree["metadata"].get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        raise RenderError("metadata.namespace is not a string", where=where, code="SS3007")
    annotations = tree["metadata"].get("annotations")
    if annotations is not None and not isinstance(annotations, dict):
        raise RenderError("metadata.annotations is not a mapping", where=where, code="SS3007")
