"""Owns what a GitRepository of Flux says: where its sources are fetched from, with what, and by whom signed. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from reconciler.adopt.flux_objects import FluxObject, FluxObjects, note_unknown, seconds
from reconciler.adopt.model import source_name
from reconciler.errors import UsageError
from reconciler.model.own import API_VERSION
from reconciler.model.tree import Tree
from reconciler.render.fields import Fields
from reconciler.source.secret import SecretRef
from reconciler.source.spec import KIND, GitSource, parse_source

KIND_OF_SOURCE: Final = "GitRepository"
_REFS: Final = ("commit", "name", "semver", "tag", "branch")
# What Flux takes where a GitRepository names no ref.
_BRANCH: Final = "master"
_SECRETS: Final = ("secretRef", "proxySecretRef")
_IRRELEVANT: Final = ("serviceAccountName",)


def git_source(one: FluxObject, repository: FluxObject, path: str, render: dict[str, Tree]) -> GitSource:
    """The source that `one` is, from `repository`; `render` as in a GitSource, to which the repository adds.

    Raises UsageError that names the field; what of the repository cannot be is noted at `one`.
    """
    fields = repository.spec
    spec: dict[str, Any] = {
        "url": fields.text("url"),
        "ref": _ref(fields),
        "path": relative(path),
        "interval": seconds(fields, "interval") or 60,
        "timeout": seconds(fields, "timeout") or 60,
        "suspend": fields.flag("suspend") or one.spec.flag("suspend"),
        "render": _rendered(fields, render),
        "adoptedBy": {"kind": one.kind, "name": one.name, "namespace": one.namespace},
        "paths": [f"/{relative(directory)}/" for directory in fields.strings("sparseCheckout")],
        **{key: _named(fields, key) for key in _SECRETS},
        **_verification(fields),
    }
    _note_parts(one, fields)
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": source_name(one.adopter)}}
    given = {key: value for key, value in spec.items() if value not in (None, [])}
    try:
        source = parse_source({**document, "spec": given})
    except UsageError as error:
        where = error.where.partition(": ")[2] or error.where
        raise UsageError(error.message, where=f"{repository} {where}", hint=error.hint) from None
    return _beside(source, repository.namespace)


def _beside(source: GitSource, namespace: str) -> GitSource:
    """`source` with its Secrets where the GitRepository has them."""

    def there(ref: SecretRef | None) -> SecretRef | None:
        return ref and replace(ref, namespace=namespace)

    verify = replace(source.verify, keys=there(source.verify.keys))
    return replace(source, secret=there(source.secret), proxy_secret=there(source.proxy_secret), verify=verify)


def of_repository(found: FluxObjects, reference: tuple[str, str, str], where: str) -> FluxObject:
    """The GitRepository that a field names. Raises UsageError for sources of other kinds: only Git is read."""
    kind, namespace, name = reference
    if kind != KIND_OF_SOURCE:
        raise UsageError(f"comes from {kind} {namespace}/{name}: only Git repositories are read", where=where)
    return found.find(kind, namespace, name, where)


def relative(path: str) -> str:
    """A path as Flux takes it: `./deploy`, `/deploy` and `deploy` are one."""
    return "/".join(part for part in path.split("/") if part not in {"", "."})


def _ref(fields: Fields) -> dict[str, str]:
    inner = Fields(fields.mapping("ref"), "spec.ref")
    found = {key: text for key in _REFS if (text := inner.text(key))}
    inner.done()
    first = next(iter(found), None)
    return {first: found[first]} if first else {"branch": _BRANCH}


def _rendered(fields: Fields, render: dict[str, Tree]) -> dict[str, Tree]:
    if fields.any("ignore") is None:
        return render
    return {**render, "flux": {**render.get("flux", {}), "ignore": fields.text("ignore")}}


def _named(fields: Fields, key: str) -> dict[str, str] | None:
    if fields.any(key) is None:
        return None
    inner = Fields(fields.mapping(key), f"spec.{key}")
    name = inner.text("name")
    inner.done()
    return {"name": name}


def _verification(fields: Fields) -> dict[str, Any]:
    if fields.any("verify") is None:
        return {}
    inner = Fields(fields.mapping("verify"), "spec.verify")
    mode = inner.text("mode") or "HEAD"
    keys = _named(inner, "secretRef")
    inner.done()
    # `head` is how the first versions of Flux wrote it.
    return {"verify": {"mode": "HEAD" if mode == "head" else mode, "secretRef": keys}}


def _note_parts(one: FluxObject, fields: Fields) -> None:
    provider = fields.text("provider") or "generic"
    if provider == "azure":
        raise UsageError("credentials of a cloud are not read", where=f"{KIND_OF_SOURCE} spec.provider")
    if fields.flag("recurseSubmodules"):
        one.lacks(f"{KIND_OF_SOURCE} spec.recurseSubmodules", "submodules are not fetched")
    if fields.any("include"):
        one.lacks(f"{KIND_OF_SOURCE} spec.include", "files of other repositories are not put into this one")
    for key in _IRRELEVANT:
        fields.any(key)
    note_unknown(one, fields, f"{KIND_OF_SOURCE} spec")
