"""Owns what Flux changes in the output of a chart: post-renderers by kustomize, then metadata for all objects."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reconciler.errors import RenderError
from reconciler.model.objects import RenderedObject
from reconciler.render import kustomization, parsing
from reconciler.render.detect import KUSTOMIZATION_NAMES
from reconciler.render.edits import Edits, edited
from reconciler.render.flux import is_of_crds, with_common_metadata
from reconciler.render.kustomize import build
from reconciler.render.objects import Collector
from reconciler.render.spec import RenderSpec

_INPUT: Final = "helm-output.yaml"
_WHERE: Final = "spec.postRenderers"


@dataclass(frozen=True, slots=True)
class PostRenderers:
    """Those of a source; `kubectl` builds kustomizations, in directories of `home`."""

    spec: RenderSpec
    kubectl: Path
    home: Path

    def applied(self, found: Sequence[RenderedObject]) -> tuple[RenderedObject, ...]:
        """The objects of a chart as Flux applies them; those of `crds/` stay as they are. Raises RenderError."""
        untouched = [one for one in found if is_of_crds(one)]
        given = [one for one in found if not is_of_crds(one)]
        for edits in self.spec.flux.post_renderers:
            if given:
                given = self._kustomized(given, edits)
        return (*untouched, *with_common_metadata(given, self.spec.flux))

    def _kustomized(self, given: Sequence[RenderedObject], edits: Edits) -> list[RenderedObject]:
        place = Path(tempfile.mkdtemp(dir=self.home))
        # JSON is YAML that needs no quoting of ours.
        (place / _INPUT).write_text("".join(f"---\n{json.dumps(one.tree)}\n" for one in given), "utf-8")
        tree = edited({"resources": [_INPUT]}, edits, _WHERE, lambda _: False)
        names = [name for _, name in kustomization.references(tree) if name != _INPUT]
        if names or any(kustomization.unknown_in_entries(tree)):
            raise RenderError("patches of postRenderers stand in them, not in files", where=_WHERE, code="SS3006")
        (place / KUSTOMIZATION_NAMES[0]).write_text(kustomization.as_json(tree), "utf-8")
        output = build(self.kubectl, place, "", self.home, where=_WHERE, secrets=self.spec.flux.secrets)
        collector = Collector(self.spec, "helm")
        collector.take(parsing.parse(self.home, [parsing.Input(output, "output of postRenderers")]))
        return list(_placed(collector.objects, given))


def _placed(changed: Iterable[RenderedObject], given: Iterable[RenderedObject]) -> Iterable[RenderedObject]:
    """Where an object was written stays true through a post-renderer, as long as it keeps its name."""
    places = {one.ref: one.provenance for one in given}
    return (replace(one, provenance=places.get(one.ref, replace(one.provenance, file="", line=0))) for one in changed)
