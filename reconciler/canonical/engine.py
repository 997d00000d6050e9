"""Owns `canonicalize()`: from a rendered object to its canonical form, and from a server's answer to the confirmed one.

Must not talk to a server (`reconciler.cluster.canonicalizer` does) nor read files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from reconciler.canonical import versions
from reconciler.canonical.complete import complete
from reconciler.canonical.filled import filled, united, with_nulls
from reconciler.canonical.form import CanonicalObject, Mask
from reconciler.canonical.items import item_key
from reconciler.canonical.masks import ANYTHING, allocated_paths, hidden_paths, masks_for, without, without_extras
from reconciler.canonical.volatile import is_bookkeeping, is_secret, live_form, not_base64, strip
from reconciler.embedded.document import documents_in
from reconciler.embedded.parser import Parser, read_json
from reconciler.errors import RenderError
from reconciler.model.objects import RenderedObject
from reconciler.model.path import field_name, unescaped
from reconciler.model.ref import KindInfo, split_api_version
from reconciler.model.tree import ABSENT, Tree, child
from reconciler.policy.model import Rules
from reconciler.schema.catalog import Catalog
from reconciler.schema.types import TypeNode

_STRING_DATA: Final = re.compile(r"^/stringData(?=/|$)")
VOLATILE: Final = "volatile-webhook-fields"
GENERATED: Final = "generated-values"
_IDENTITY = ("apiVersion", "kind", "metadata")
_METADATA = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")


@dataclass(frozen=True, slots=True)
class Context:
    """What canonicalization needs beside the object. `namespace` is that of namespaced objects that name none.

    `guess`: a kind that nobody knows is taken as it is written, which says less than a schema would. `parse` reads
    documents inside strings.
    """

    catalog: Catalog
    rules: Rules
    secret_key: bytes
    namespace: str = "default"
    guess: bool = False
    parse: Parser = read_json


class UnknownKindError(RenderError):
    """Nobody knows the kind: no cluster, no CRD at hand, not built in."""

    code = "SS3009"


class NotServedError(UnknownKindError):
    """The kind is known, but not in the version that Git declares: nobody guesses how to convert it."""

    code = "SS3012"


class InvalidManifestError(RenderError):
    """A manifest that no API server takes."""

    code = "SS3013"


def located(rendered: RenderedObject, context: Context) -> tuple[RenderedObject, KindInfo]:
    """The object with its namespace settled (defaulted, or dropped where the kind has none), and its kind.

    Where the cluster no longer serves its version, it comes in one that is served, if the way there is known.
    Raises UnknownKindError.
    """
    rendered = _served(rendered, context.catalog)
    group, version = split_api_version(rendered.api_version)
    kind = context.catalog.kind(group, version, rendered.ref.kind)
    served = context.catalog.served_as(group, rendered.ref.kind) if kind is None else ()
    if served:
        raise NotServedError(
            f"{rendered.api_version} {rendered.ref.kind} is not served: the manifest needs migration",
            where=rendered.provenance.place,
            hint=f"the kind is served as {', '.join(served)}",
        )
    if kind is None and context.guess:
        return rendered, KindInfo(group, version, rendered.ref.kind, "", namespaced=bool(rendered.ref.namespace))
    if kind is None:
        raise UnknownKindError(
            f"unknown kind {rendered.ref.kind} in {rendered.api_version}",
            where=rendered.provenance.place,
            hint="is its CustomResourceDefinition part of the source, or installed in the cluster?",
        )
    namespace = (rendered.ref.namespace or context.namespace) if kind.namespaced else ""
    return rendered.with_namespace(namespace), kind


def _served(rendered: RenderedObject, catalog: Catalog) -> RenderedObject:
    group, version = split_api_version(rendered.api_version)
    kind = rendered.ref.kind
    served = catalog.versions(group, kind) if versions.knows(group, kind) else frozenset()
    if not served or version in served:
        return rendered
    found = (versions.converted(rendered.tree, f"{group}/{one}") for one in sorted(served))
    tree = next((one for one in found if one is not None), None)
    return rendered if tree is None else replace(rendered, tree=tree, written_as=rendered.api_version)


def manifest(rendered: RenderedObject) -> Tree:
    """What a client would send: the located object without status and server-owned metadata. Holds Secrets in clear."""
    return without_nulls(strip(rendered.tree))


def canonicalize(rendered: RenderedObject, context: Context) -> CanonicalObject:
    """The offline form: what Git declares, with what the API server makes of it as far as that is known without one.

    Raises UnknownKindError.
    """
    rendered, kind = located(rendered, context)
    declared = live_form(rendered.tree, context.secret_key)
    types = context.catalog.types(kind.group, kind.version, kind.kind)
    ref = rendered.ref
    content = {key: value for key, value in declared.items() if key not in _IDENTITY}
    done = complete(content, types, kind.name)
    masks = (
        *masks_for(
            ref,
            declared,
            types,
            context.rules.masks,
            source=rendered.provenance.source,
            replicas_path=kind.replicas_path,
        ),
        *_generated(rendered, declared, types),
    )
    content = without(done.tree, (*hidden_paths(masks), *allocated_paths(masks, declared)), types)
    documents, remarks = documents_in(content, kind.name, context.parse)
    return CanonicalObject(
        ref,
        kind,
        # What a rule hides of metadata stays in want: outside, it would be free.
        {key: declared[key] for key in _IDENTITY[:2]} | {"metadata": _metadata(declared), **content},
        done.filled,
        rendered.provenance,
        masks=masks,
        types=types,
        notes=(*_migrated(rendered), *done.remarks, *remarks),
        invalid=(*done.invalid, *not_base64(rendered.tree)),
        dropped={} if is_secret(rendered.tree) else done.dropped,  # may be what was meant as `data`, in clear
        semantics=context.catalog.semantics(kind.group, kind.version, kind.kind),
        documents=documents,
    )


def _migrated(rendered: RenderedObject) -> tuple[str, ...]:
    if not rendered.written_as:
        return ()
    return (f"{rendered.written_as} is no longer served: judged as {rendered.api_version}",)


def _generated(rendered: RenderedObject, declared: Tree, types: TypeNode) -> Iterator[Mask]:
    """Masks of what the renderer makes anew each time: there must be a value, whichever."""
    for pointer in rendered.generated:
        # Values of Secrets stand in `data` by now, wherever they were written.
        place = _place(_STRING_DATA.sub("/data", pointer), declared, types)
        yield Mask(place, GENERATED, "the renderer makes another value each time", value=(("", (ANYTHING,)),))


def confirm(offline: CanonicalObject, answer: Tree, volatile: Iterable[str], context: Context) -> CanonicalObject:
    """The server form: the API server's answer to a dry-run of the object behind `offline`.

    `volatile` are pointers of values that differ between two dry-runs: they are masked. Metadata stays Git's own, what
    the server or a mutator adds there is nobody's desired state.
    """
    places = (_place(pointer, answer, offline.types) for pointer in volatile)
    masks = (*offline.masks, *(Mask(place, VOLATILE, "differs between two dry-runs") for place in places))
    body = without_nulls(live_form(answer, context.secret_key))
    hidden = (*hidden_paths(masks), *allocated_paths(masks, offline.want))
    kept = with_nulls(without_extras(body, masks, offline.want, offline.types), offline.want, offline.types)
    made = without({key: kept[key] for key in kept if key not in _IDENTITY}, hidden, offline.types)
    want = {key: offline.want[key] for key in _IDENTITY} | made
    said = {key: value for key, value in offline.want.items() if key != "metadata"}
    notes = tuple(f"/{key}: the API server does not store it" for key in _unknown(said, want))
    documents, remarks = documents_in(want, offline.kind.name, context.parse)
    return replace(
        offline,
        want=want,
        filled=united(filled(made, said, offline.types), offline.filled) or {},
        confidence="server",
        reason="",
        masks=masks,
        notes=(*notes, *remarks),
        documents=documents,
    )


def _unknown(said: Tree, want: Tree) -> list[str]:
    return [key for key, value in said.items() if value not in (None, {}, [], "") and child(want, key) is ABSENT]


def _place(pointer: str, document: Tree, node: TypeNode) -> tuple[str, ...]:
    """A pointer as the path of a mask: an index becomes the key of its item, or `*` where places say nothing."""
    place: list[str] = []
    for token in pointer.removeprefix("/").split("/"):
        part = unescaped(token)
        if isinstance(document, list):
            index = int(part) if part.isdecimal() else len(document)
            document = document[index] if index < len(document) else None
            key = item_key(document, node) if node.list_type == "map" else index if node.list_type == "atomic" else None
            part, node = "*" if key is None else field_name(key), node.item
        else:
            document, node = child(document, part), node.at(part)
        place.append(part)
    return tuple(place)


def _metadata(tree: dict[str, Tree]) -> dict[str, Tree]:
    """What people declare of metadata, without what is empty and what clients keep for themselves."""
    metadata = without_nulls(tree.get("metadata") or {})
    if isinstance(metadata.get("annotations"), dict):
        metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if not is_bookkeeping(k)}
    return {key: metadata[key] for key in _METADATA if metadata.get(key)}


def without_nulls(tree: Tree) -> Tree:
    """Null in a map means "not declared"; inside lists it stays, since items have places."""
    if isinstance(tree, dict):
        return {key: without_nulls(value) for key, value in tree.items() if value is not None}
    if isinstance(tree, list):
        return [without_nulls(value) for value in tree]
    return tree
