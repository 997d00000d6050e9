"""Owns what Flux does around kustomize and Helm: which options a source may have for it, and marks on what came out.

Pure; no I/O. `reconciler.render.flux_tree` makes the kustomization, `reconciler.render.varsub` replaces variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from reconciler.errors import RenderError
from reconciler.model.objects import RenderedObject
from reconciler.render.edits import Edits, parse_edits
from reconciler.render.fields import Fields

_SHORT_COMMIT: Final = 12
_CRDS: Final = "/crds/"


@dataclass(frozen=True, slots=True)
class Substitution:
    """Flux's `postBuild`: which text `${name}` stands for; `always` also where no variable is given."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)  # may come from Secrets
    always: bool = False


@dataclass(frozen=True, slots=True)
class Flux:
    """What a Kustomization or HelmRelease asks for beyond the options that every source has.

    `ignore` are the lines of the GitRepository's `ignore`, None where it has none. `values` are texts of values in
    YAML, from ConfigMaps and Secrets. `replaces_defaults`: the value files stand in place of the chart's own values.
    `version_suffix` is what source-controller adds to the chart's version; in the document `{commit}` is the short
    commit. Texts in `secrets` must not come back in a message. `missing` is what the cluster lacks for it.
    """

    ignore: str | None = None
    build_metadata: tuple[str, ...] = ()
    substitute: Substitution | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = field(default=(), repr=False)
    replaces_defaults: bool = False
    version_suffix: str = ""
    post_renderers: tuple[Edits, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    missing: tuple[str, ...] = ()


def parse_flux(mapping: Mapping[str, Any], where: str, revision: str) -> Flux:
    """The options of `spec.render.flux`; `revision` is `main@sha1:<hex>`. Raises UsageError that names the field."""
    fields = Fields(mapping, where)
    common = Fields(fields.mapping("commonMetadata"), f"{where}.commonMetadata")
    flux = Flux(
        ignore=None if fields.any("ignore") is None else fields.text("ignore"),
        build_metadata=fields.strings("buildMetadata"),
        substitute=_substitution(fields, f"{where}.substitute"),
        labels=common.texts("labels"),
        annotations=common.texts("annotations"),
        values=fields.strings("values"),
        replaces_defaults=fields.flag("replacesDefaults"),
        version_suffix=fields.text("versionSuffix").replace("{commit}", revision.rpartition(":")[2][:_SHORT_COMMIT]),
        post_renderers=tuple(parse_edits(one, f"{where}.postRenderers") for one in fields.mappings("postRenderers")),
        secrets=fields.strings("secrets"),
        missing=fields.strings("missing"),
    )
    common.done()
    fields.done()
    return flux


def _substitution(fields: Fields, where: str) -> Substitution | None:
    if fields.any("substitute") is None:
        return None
    inner = Fields(fields.mapping("substitute"), where)
    found = Substitution(inner.texts("variables"), inner.flag("always"))
    inner.done()
    return found


def check_there(flux: Flux) -> None:
    """Raises RenderError where the cluster lacks what the source is made with: what was rendered before holds."""
    if flux.missing:
        raise RenderError(
            f"the cluster has no {flux.missing[0]}", hint="Flux waits for it too; create it there", code="SS3014"
        )


def with_common_metadata(found: Iterable[RenderedObject], flux: Flux) -> Iterator[RenderedObject]:
    """The objects with Flux's `commonMetadata` on each, in place of what they have there themselves."""
    for one in found:
        metadata = dict(one.tree["metadata"])
        for key, added in (("labels", flux.labels), ("annotations", flux.annotations)):
            if added:
                metadata[key] = {**(metadata.get(key) or {}), **added}
        yield replace(one, tree={**one.tree, "metadata": metadata})


def is_of_crds(found: RenderedObject) -> bool:
    """True for what a chart keeps in `crds/`: Helm gives it to no post-renderer."""
    return _CRDS in f"/{found.provenance.file}" and found.ref.kind == "CustomResourceDefinition"
