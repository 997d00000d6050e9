"""Owns what a Kustomization of Flux comes to: a source for kustomize, its variables, what it ignores. Pure."""

from __future__ import annotations

from typing import Any, Final

from reconciler.adopt.flux_git import git_source, of_repository
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
from reconciler.model.tree import Tree
from reconciler.render.fields import Fields

# What says when and how Flux applies, not what.
_IRRELEVANT: Final = (
    *("prune", "force", "wait", "timeout", "interval", "retryInterval", "deletionPolicy", "dependsOn"),
    *("healthChecks", "healthCheckExprs", "suspend"),
)


def adopt_kustomization(one: FluxObject, found: FluxObjects, lookup: Lookup) -> Adopted:
    """The source of one Kustomization. Raises UsageError that names the field for what cannot be at all."""
    fields = one.spec
    check_ours(one, fields)
    reference = Fields(fields.mapping("sourceRef"), "spec.sourceRef")
    repository = of_repository(found, named(reference, one.namespace), "spec.sourceRef")
    render: dict[str, Tree] = {
        "kind": "Kustomize",
        "tool": "Flux",
        "kustomize": _edits(fields),
        "flux": _flux(one, fields, lookup),
    }
    if namespace := fields.text("targetNamespace"):
        render["namespace"] = namespace
    source = git_source(one, repository, fields.text("path"), render)
    ignores = masks(one, fields.mappings("ignore"), "spec.ignore", source.name)
    _note_parts(one, fields)
    return Adopted((source,), ignores, tuple(one.parts))


def _edits(fields: Fields) -> dict[str, Tree]:
    edits = {
        "namespace": fields.text("targetNamespace"),
        "namePrefix": fields.text("namePrefix"),
        "nameSuffix": fields.text("nameSuffix"),
        "images": images(fields, "spec"),
        "patches": patches(fields, "spec"),
        "components": list(fields.strings("components")),
        "ignoreMissingComponents": fields.flag("ignoreMissingComponents"),
    }
    return {key: value for key, value in edits.items() if value}


def _flux(one: FluxObject, fields: Fields, lookup: Lookup) -> dict[str, Tree]:
    given = Given(one, lookup)
    flux: dict[str, Any] = {
        "substitute": _variables(fields, given),
        "buildMetadata": list(fields.strings("buildMetadata")),
        "commonMetadata": common_metadata(fields),
        "secrets": given.secrets,
        "missing": given.missing,
    }
    return {key: value for key, value in flux.items() if value}


def _variables(fields: Fields, given: Given) -> dict[str, Tree] | None:
    """`postBuild`: those of ConfigMaps and Secrets in their order, and over them its own."""
    if fields.any("postBuild") is None:
        return None
    build = Fields(fields.mapping("postBuild"), "spec.postBuild")
    variables: dict[str, str] = {}
    for mapping in build.mappings("substituteFrom"):
        reference = Fields(mapping, "spec.postBuild.substituteFrom")
        found = given.keys(reference, "spec.postBuild.substituteFrom")
        reference.done()
        variables |= {key: given.text(data, reference) for key, data in found.items()}
    variables |= build.texts("substitute")
    always = build.text("substituteStrategy") == "Always"
    build.done()
    return {"variables": {key: text.replace("\n", "") for key, text in variables.items()}, "always": always}


def _note_parts(one: FluxObject, fields: Fields) -> None:
    decryption = Fields(fields.mapping("decryption"), "spec.decryption")
    if (provider := decryption.text("provider") or "sops") != "sops":
        one.lacks("spec.decryption", f"what {provider} has encrypted is not known by its form")
    if account := fields.text("serviceAccountName"):
        one.lacks(
            "spec.serviceAccountName",
            f"Flux writes as {one.namespace}/{account}, which is no writer unless a DriftPolicy names it",
        )
    for key in _IRRELEVANT:
        fields.any(key)
    note_unknown(one, fields)
