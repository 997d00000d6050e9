"""Owns what a GitOps tool changes in a kustomization before it builds it, as `kustomize edit` would. Pure; no I/O.

The edits come with the source and go into the copy that is built, never into the repository.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.errors import RenderError, UsageError
from reconciler.model.tree import Tree
from reconciler.render.fields import Fields

_TAGGED: Final = re.compile(r"(?P<name>.*):(?P<tag>[a-zA-Z0-9._-]*|\*)")
_SAME: Final = "*"


@dataclass(frozen=True, slots=True)
class Image:
    """Another name, tag or digest for the images called `name`. "*": what the kustomization says; "": nothing."""

    name: str
    new_name: str = ""
    new_tag: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Edits:
    """Changes of the entry kustomization, in the order in which Argo CD and Flux make them.

    `patches` are entries of its `patches`. `labels` replace those of the same key only with `force_labels`, and reach
    selectors unless `labels_without_selector`. `components` are paths relative to the kustomization.
    """

    name_prefix: str = ""
    name_suffix: str = ""
    images: tuple[Image, ...] = ()
    replicas: tuple[tuple[str, int], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    force_labels: bool = False
    labels_without_selector: bool = False
    labels_in_templates: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    force_annotations: bool = False
    namespace: str = ""
    patches: tuple[Mapping[str, Any], ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False


NO_EDITS: Final = Edits()


def parse_edits(mapping: Mapping[str, Any], where: str) -> Edits:
    """The edits of `spec.render.kustomize`, in the words of Argo CD's `source.kustomize`.

    Raises UsageError that names the field.
    """
    fields = Fields(mapping, where)
    edits = Edits(
        name_prefix=fields.text("namePrefix"),
        name_suffix=fields.text("nameSuffix"),
        images=tuple(_image(one, f"{where}.images") for one in fields.list("images")),
        replicas=tuple(_replicas(one, f"{where}.replicas") for one in fields.mappings("replicas")),
        labels=fields.texts("commonLabels"),
        force_labels=fields.flag("forceCommonLabels"),
        labels_without_selector=fields.flag("labelWithoutSelector"),
        labels_in_templates=fields.flag("labelIncludeTemplates"),
        annotations=fields.texts("commonAnnotations"),
        force_annotations=fields.flag("forceCommonAnnotations"),
        namespace=fields.text("namespace"),
        patches=tuple(fields.mappings("patches")),
        components=fields.strings("components"),
        ignore_missing_components=fields.flag("ignoreMissingComponents"),
    )
    fields.done()
    if edits.labels_in_templates and edits.labels and not edits.labels_without_selector:
        raise UsageError("needs labelWithoutSelector", where=f"{where}.labelIncludeTemplates")
    return edits


def _image(value: Any, where: str) -> Image:
    """`name=new:tag`, `name@digest` …, or Flux's mapping."""
    if isinstance(value, str):
        return parse_image(value, where)
    fields = Fields(value, where)
    image = Image(fields.text("name"), fields.text("newName"), fields.text("newTag"), fields.text("digest"))
    fields.done()
    if not image.name:
        raise UsageError("must be set", where=f"{where}.name")
    return image


def parse_image(text: str, where: str = "images") -> Image:
    """An image as `kustomize edit set image` takes it: `name=new`, `name:tag`, `name@digest`, and these together.

    Raises UsageError.
    """
    name, equals, replaced = text.partition("=")
    overwrite, _, digest = (replaced if equals else name).partition("@")
    tagged = _TAGGED.fullmatch(overwrite)
    found, tag = (tagged["name"], tagged["tag"]) if tagged else (overwrite, "")
    if not (name if equals else found) or not (equals or tagged or digest):
        raise UsageError(f"{text!r} is no name=new, name:tag or name@digest", where=where)
    return Image(name, found, tag, digest) if equals else Image(found, "", tag, digest)


def _replicas(value: Mapping[str, Any], where: str) -> tuple[str, int]:
    fields = Fields(value, where)
    name, count = fields.text("name"), fields.any("count")
    fields.done()
    if isinstance(count, str) and count.isdecimal():
        count = int(count)
    if not name or isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise UsageError("must be a name and a count", where=where)
    return name, count


def edited(tree: Mapping[str, Tree], edits: Edits, where: str, exists: Callable[[str], bool]) -> dict[str, Tree]:
    """The kustomization `tree` with `edits` made; `where` names it, `exists` tells which components are there.

    Raises RenderError for a label or annotation that it already has, as the tools do.
    """
    plain = {"namePrefix": edits.name_prefix, "nameSuffix": edits.name_suffix, "namespace": edits.namespace}
    done = {**tree, **{key: text for key, text in plain.items() if text}}
    if edits.images:
        done["images"] = _images(_entries(tree, "images", where), edits.images)
    if edits.replicas:
        counts = {entry.get("name"): entry for entry in _entries(tree, "replicas", where)}
        counts |= {name: {"name": name, "count": count} for name, count in edits.replicas}
        done["replicas"] = [counts[name] for name in sorted(counts, key=str)]
    if edits.labels:
        done |= _labels(tree, edits, where)
    if edits.annotations:
        before = _mapping(tree, "commonAnnotations", where)
        done["commonAnnotations"] = _joined(
            before, edits.annotations, where, "annotation", force=edits.force_annotations
        )
    if edits.patches:
        done["patches"] = [*_entries(tree, "patches", where), *map(dict, edits.patches)]
    if edits.components:
        found = [one for one in edits.components if not edits.ignore_missing_components or exists(one)]
        done["components"] = list(dict.fromkeys([*_list(tree, "components", where), *found]))
    return done


def _images(before: Iterable[Mapping[str, Tree]], images: Iterable[Image]) -> list[Tree]:
    """By name, as `kustomize edit` leaves them."""
    known: dict[str, dict[str, Tree]] = {str(entry.get("name")): dict(entry) for entry in before}
    for image in images:
        old = known.get(image.name, {})
        new = {"newName": image.new_name, "newTag": image.new_tag, "digest": image.digest}
        kept = {key: old.get(key, "") if text == _SAME else text for key, text in new.items()}
        known[image.name] = {"name": image.name, **{key: text for key, text in kept.items() if text}}
    return [known[name] for name in sorted(known)]


def _labels(tree: Mapping[str, Tree], edits: Edits, where: str) -> dict[str, Tree]:
    """`commonLabels` with the new ones, or `labels` with them in the first entry that reaches as far."""
    if not edits.labels_without_selector:
        before = _mapping(tree, "commonLabels", where)
        return {"commonLabels": _joined(before, edits.labels, where, "label", force=edits.force_labels)}
    entries = [dict(entry) for entry in _entries(tree, "labels", where)]
    reach = edits.labels_in_templates
    fitting = (
        entry for entry in entries if not entry.get("includeSelectors") and bool(entry.get("includeTemplates")) is reach
    )
    entry = next(fitting, None)
    if entry is None:
        entry = {"includeTemplates": True} if reach else {}
        entries.append(entry)
    entry["pairs"] = _joined(_mapping(entry, "pairs", where), edits.labels, where, "label", force=edits.force_labels)
    return {"labels": entries}


def _joined(
    before: Mapping[str, Tree], new: Mapping[str, str], where: str, what: str, *, force: bool
) -> dict[str, Tree]:
    if not force and (twice := sorted(before.keys() & new.keys())):
        hint = f"the source adds it again; Argo CD needs forceCommon{what.capitalize()}s for that"
        raise RenderError(f"the kustomization already has the {what} {twice[0]}", where=where, hint=hint, code="SS3029")
    return {**before, **new}


def _entries(tree: Mapping[str, Tree], key: str, where: str) -> list[Mapping[str, Tree]]:
    value = _list(tree, key, where)
    if not all(isinstance(entry, dict) for entry in value):
        raise RenderError(f"{key} is no list of mappings", where=where, code="SS3001")
    return value


def _list(tree: Mapping[str, Tree], key: str, where: str) -> list[Any]:
    value = tree.get(key) or []
    if not isinstance(value, list):
        raise RenderError(f"{key} is no list", where=where, code="SS3001")
    return value


def _mapping(tree: Mapping[str, Tree], key: str, where: str) -> Mapping[str, Tree]:
    value = tree.get(key) or {}
    if not isinstance(value, dict):
        raise RenderError(f"{key} is no mapping", where=where, code="SS3001")
    return value
