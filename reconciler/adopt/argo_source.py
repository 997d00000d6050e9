"""Owns turning one source of an Application into a GitSource. Pure; the options of the renderers: `argo_render`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from reconciler.adopt.argo_credentials import SecretFor
from reconciler.adopt.argo_render import rendering
from reconciler.adopt.model import source_name
from reconciler.errors import UsageError
from reconciler.model.own import API_VERSION
from reconciler.render.fields import Fields
from reconciler.render.spec import parse_render
from reconciler.snapshot.model import Adopter
from reconciler.source.semver import parse_constraint, parse_version
from reconciler.source.spec import KIND, GitRef, GitSource, parse_source

_SCP: Final = re.compile(r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+):(?!//)(?P<path>.+)")
_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Application:
    """What of an Application all its sources share. `namespace` is that of its destination."""

    by: Adopter
    namespace: str
    project: str
    suspended: bool
    secret_for: SecretFor


@dataclass(frozen=True, slots=True)
class Part:
    """One source of an Application as it stands there; `where` is its field, `index` its place among several."""

    tree: Mapping[str, Any]
    where: str
    index: int = 0

    @property
    def ref(self) -> str:
        """The name under which value files of the others call it."""
        return Fields(self.tree, self.where).text("ref")

    @property
    def renders(self) -> bool:
        """False where it only holds value files for the others."""
        fields = Fields(self.tree, self.where)
        return not (self.ref and not fields.text("path") and not fields.text("chart"))


def to_source(part: Part, app: Application, beside: Mapping[str, Part]) -> GitSource:
    """The GitSource of a part. `beside` are the parts with a `ref`, by that.

    Raises UsageError: what of it cannot be had, `where` the field.
    """
    name = source_name(app.by, part.index)
    source = _repository(part, app, name)
    render = rendering(part.tree, part.where, app.by.name, app.namespace, app.project, frozenset(beside))
    _check(render, part.where)
    lent: dict[str, list[str]] = {}
    for ref, slash, file in (one[1:].partition("/") for one in render.get("valueFiles", ()) if one.startswith("$")):
        lent.setdefault(ref, []).append(f"{slash}{file}")
    others = tuple((ref, _other(beside[ref], app, f"{name}_{ref}", files)) for ref, files in sorted(lent.items()))
    return replace(source, render=render, beside=others)


def _other(part: Part, app: Application, name: str, files: list[str]) -> GitSource:
    """A repository that only lends files. The name, which no source can have, gives it a mirror of its own."""
    if not _REF.fullmatch(part.ref):
        raise UsageError("must be letters, digits, dashes and underscores", where=f"{part.where}.ref")
    return replace(_repository(part, app, source_name(app.by)), name=name, path="", paths=tuple(files))


def _repository(part: Part, app: Application, name: str) -> GitSource:
    fields = Fields(part.tree, part.where)
    if chart := fields.text("chart"):
        raise UsageError(
            f"chart {chart!r} of a Helm repository: charts are read out of Git only", where=f"{part.where}.chart"
        )
    if fields.any("plugin") is not None:
        raise UsageError("config management plugins are not run", where=f"{part.where}.plugin")
    if fields.text("tagPrefix"):
        raise UsageError("tags with a prefix are not chosen from", where=f"{part.where}.tagPrefix")
    url, revision = fields.text("repoURL"), fields.text("targetRevision")
    ref = _ref(revision)
    spec = {"url": _url(url, f"{part.where}.repoURL"), "path": fields.text("path"), "suspend": app.suspended}
    # Any name is checked as that of a branch.
    spec |= {"ref": {"branch": ref.value}} if ref.kind in {"branch", "tag", "name"} else {}
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
    try:
        source = parse_source(document)
    except UsageError as error:
        key = error.where.rpartition(".")[2]
        field = {"url": "repoURL", "branch": "targetRevision"}.get(key, key)
        raise UsageError(error.message, where=f"{part.where}.{field}", hint=error.hint) from None
    return replace(source, ref=ref, adopted_by=app.by, secret=app.secret_for(url))


def _url(text: str, where: str) -> str:
    if text.startswith("oci://"):
        raise UsageError("an OCI registry: only Git is read", where=where)
    match = _SCP.fullmatch(text)
    return f"ssh://{match['user']}@{match['host']}/{match['path'].lstrip('/')}" if match else text


def _ref(text: str) -> GitRef:
    """The revision as Argo CD takes it: a commit, a range of versions, else a branch or tag of that name."""
    if text in ("", "HEAD"):
        return GitRef()
    if _COMMIT.fullmatch(text):
        return GitRef("commit", text)
    if parse_version(text) is None:
        with suppress(UsageError):
            return GitRef("semver", str(parse_constraint(text, "ref")))
    if text.startswith("refs/heads/"):
        return GitRef("branch", text.removeprefix("refs/heads/"))
    if text.startswith("refs/tags/"):
        return GitRef("tag", text.removeprefix("refs/tags/"))
    return GitRef("name", text)


def _check(render: Mapping[str, Any], where: str) -> None:
    """Raises UsageError for what our own reading of `render` would refuse later."""
    try:
        parse_render(render)
    except UsageError as error:
        raise UsageError(f"{error.message} ({error.where})", where=where) from None
