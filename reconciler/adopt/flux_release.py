"""Owns what a HelmRelease of Flux comes to: a source for Helm, its values, what is changed after it. Pure."""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import Any, Final

from reconciler.adopt.flux_git import git_source, of_repository, relative
from reconciler.adopt.flux_given import Given
from reconciler.adopt.flux_masks import masks
from reconciler.adopt.flux_objects import (
    FluxObject,
    FluxObjects,
    Lookup,
    check_ours,
    common_metadata,
    images,
    named,
    note_unknown,
    patches,
)
from reconciler.adopt.model import Adopted
from reconciler.errors import UsageError
from reconciler.model.tree import Tree
from reconciler.render.fields import Fields

_NAME_CHARS: Final = 53
_HASH_CHARS: Final = 12
_SKIP: Final = "Skip"
_PATH: Final = re.compile(r"(?<!\\)[.\[]")
# What says when and how Flux applies, not what.
_IRRELEVANT: Final = (
    *("interval", "timeout", "dependsOn", "maxHistory", "persistentClient", "test", "rollback", "uninstall", "suspend"),
    *("storageNamespace", "postRenderStrategy", "waitStrategy", "healthCheckExprs", "chart"),
)


def adopt_release(one: FluxObject, found: FluxObjects, lookup: Lookup) -> Adopted:
    """The source of one HelmRelease. Raises UsageError that names the field for what cannot be at all."""
    fields = one.spec
    check_ours(one, fields)
    chart, namespace, generation = _chart(one, fields, found)
    reference = Fields(chart.mapping("sourceRef"), "spec.chart.spec.sourceRef")
    repository = of_repository(found, named(reference, namespace), "spec.chart.spec.sourceRef")
    path = relative(chart.text("chart"))
    if path.endswith((".tgz", ".tar.gz")):
        raise UsageError("is a packed chart: only charts in a directory are rendered", where="spec.chart.spec.chart")
    given = Given(one, lookup)
    values = _given_values(one, fields, given)
    flux = {**_flux(one, fields, chart, generation), "values": values.pop("texts")}
    flux |= {"secrets": given.secrets, "missing": given.missing}
    render: dict[str, Tree] = {
        "kind": "Helm",
        "tool": "Flux",
        "releaseName": release_name(one, fields),
        "namespace": fields.text("targetNamespace") or one.namespace,
        "includeCRDs": _has_crds(fields),
        "skipSchemaValidation": _skips_schema(fields),
        "values": fields.mapping("values"),
        "valueFiles": [posixpath.relpath(relative(file), path or ".") for file in chart.strings("valuesFiles")],
        "ignoreMissingValueFiles": chart.flag("ignoreMissingValuesFiles"),
        **values,
        "flux": {key: value for key, value in flux.items() if value},
    }
    source = git_source(one, repository, path, render)
    detection = Fields(fields.mapping("driftDetection"), "spec.driftDetection")
    ignores = masks(one, detection.mappings("ignore"), "spec.driftDetection.ignore", source.name)
    _note_parts(one, fields)
    return Adopted((source,), ignores, tuple(one.parts))


def release_name(one: FluxObject, fields: Fields) -> str:
    """The release as helm-controller names it, cut with a hash where it would be too long for Helm."""
    target = fields.text("targetNamespace")
    name = fields.text("releaseName") or (f"{target}-{one.name}" if target else one.name)
    if len(name) <= _NAME_CHARS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARS]
    return f"{name[: _NAME_CHARS - _HASH_CHARS - 1]}-{digest}"


def _chart(one: FluxObject, fields: Fields, found: FluxObjects) -> tuple[Fields, str, int | None]:
    """The spec of the chart, the namespace it stands in, and how often its HelmChart has been changed, if known."""
    if fields.any("chartRef") is not None:
        reference = Fields(fields.mapping("chartRef"), "spec.chartRef")
        kind, namespace, name = named(reference, one.namespace)
        if kind != "HelmChart":
            reason = f"comes from {kind} {namespace}/{name}: only charts in Git repositories are rendered"
            raise UsageError(reason, where="spec.chartRef")
        chart = found.find(kind, namespace, name, "spec.chartRef")
        return chart.spec, namespace, _generation(chart)
    spec = Fields(Fields(fields.mapping("chart"), "spec.chart").mapping("spec"), "spec.chart.spec")
    if not spec.text("chart"):
        raise UsageError("must name a chart, here or in spec.chartRef", where="spec.chart.spec.chart")
    # Where helm-controller puts the HelmChart that it makes of this.
    namespace = Fields(spec.mapping("sourceRef"), "spec.chart.spec.sourceRef").text("namespace") or one.namespace
    named_so = (made for made in found.of_kind("HelmChart") if made.name == f"{one.namespace}-{one.name}")
    generations = (_generation(made) for made in named_so if made.namespace == namespace)
    return spec, one.namespace, next(generations, None)


def _generation(chart: FluxObject) -> int | None:
    found = chart.tree["metadata"].get("generation")
    return found if isinstance(found, int) else None


def _has_crds(fields: Fields) -> bool:
    install, upgrade = (Fields(fields.mapping(key), f"spec.{key}") for key in ("install", "upgrade"))
    at_first = "" if not install.flag("skipCRDs") else _SKIP
    return (install.text("crds") or at_first) != _SKIP or (upgrade.text("crds") or _SKIP) != _SKIP


def _skips_schema(fields: Fields) -> bool:
    return any(Fields(fields.mapping(key), key).flag("disableSchemaValidation") for key in ("install", "upgrade"))


def _given_values(one: FluxObject, fields: Fields, given: Given) -> dict[str, list[Any]]:
    """`valuesFrom`: texts of values in their order, and single values by path, which win over all."""
    texts: list[str] = []
    parameters: list[dict[str, Tree]] = []
    for mapping in fields.mappings("valuesFrom"):
        reference = Fields(mapping, "spec.valuesFrom")
        text, path = given.key(reference, "spec.valuesFrom"), reference.text("targetPath")
        reference.done()
        if text is None:
            continue
        if not path:
            texts.append(text)
            if parameters:
                one.lacks(
                    "spec.valuesFrom", "where a value by targetPath comes before whole values, it wins all the same"
                )
        # One at the top is lost to the release's own values, one below is not: so it is in Flux.
        elif _PATH.search(path) or path not in fields.mapping("values"):
            quoted = text[:1] == text[-1:] and text[:1] in {'"', "'"}
            parameters.append({"name": path, "value": text.strip("\"'") if quoted else text, "forceString": quoted})
    return {"texts": texts, "parameters": parameters}


def _flux(one: FluxObject, fields: Fields, chart: Fields, generation: int | None) -> dict[str, Any]:
    renderers = []
    for mapping in fields.mappings("postRenderers"):
        renderer = Fields(mapping, "spec.postRenderers")
        kustomize = Fields(renderer.mapping("kustomize"), "spec.postRenderers.kustomize")
        edits = {"patches": patches(kustomize, "spec.postRenderers.kustomize")}
        edits["images"] = images(kustomize, "spec.postRenderers.kustomize")
        for other in (*kustomize.unasked(), *(key for key in renderer.unasked())):
            one.lacks("spec.postRenderers", f"{other} is not known to this version of Setscrew")
        renderers.append(edits)
    return {
        "replacesDefaults": bool(chart.strings("valuesFiles")),
        "versionSuffix": _version_suffix(one, chart, generation),
        "commonMetadata": common_metadata(fields),
        "postRenderers": renderers,
    }


def _version_suffix(one: FluxObject, chart: Fields, generation: int | None) -> str:
    """What source-controller puts behind the chart's version: the commit, and with values files a count."""
    parts = ["{commit}"] if chart.text("reconcileStrategy") == "Revision" else []
    if chart.strings("valuesFiles"):
        if generation is None:
            one.lacks(
                "spec.chart.spec.valuesFiles", "the suffix of the chart's version is not known without its HelmChart"
            )
        else:
            parts.append(str(generation))
    return ".".join(parts)


def _note_parts(one: FluxObject, fields: Fields) -> None:
    if account := fields.text("serviceAccountName"):
        one.lacks(
            "spec.serviceAccountName",
            f"Flux writes as {one.namespace}/{account}, which is no writer unless a DriftPolicy names it",
        )
    for key in _IRRELEVANT:
        fields.any(key)
    note_unknown(one, fields)
