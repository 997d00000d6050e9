"""Owns GitSource: which repository, ref and path, and reading it from its document. Pure; must not run git."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reconciler.errors import UsageError
from reconciler.model.own import API_VERSION
from reconciler.snapshot.model import Adopter

KIND: Final = "GitSource"
DEFAULT_INTERVAL_SECONDS: Final = 300

RefKind = Literal["branch", "tag", "commit", "head"]
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_URL: Final = re.compile(r"(https|ssh|file)://(?:(?P<user>[^/@]*)@)?(?P<host>[^/@:]*)(?::\d+)?/\S*")
_SCP: Final = re.compile(r"[\w.-]+@[\w.-]+:")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What `git check-ref-format` refuses, plus a leading dash; 255 bytes are our own bound.
_BAD_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[-./]|[./]$|\.lock(/|$)|^@$")
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SPEC_FIELDS: Final = ("url", "ref", "path", "render", "interval", "suspend", "adoptedBy")
_ADOPTERS: Final = ("Application", "HelmRelease", "Kustomization")
_REF_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class GitRef:
    """What of the repository: a branch, a tag, one commit, or ("head") the remote's default branch."""

    kind: RefKind = "head"
    value: str = ""

    @property
    def full(self) -> str:
        """As git knows it: `refs/heads/main`, `refs/tags/v1`, `HEAD`, or the commit's id."""
        prefix = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(self.kind, "")
        return f"{prefix}{self.value}" if self.value else "HEAD"

    def __str__(self) -> str:
        """As people say it: `main`, `v1`, `HEAD`."""
        return self.value or "HEAD"


@dataclass(frozen=True, slots=True)
class GitSource:
    """A repository, a ref and a path, and how to render it.

    `path` is relative to the repository's root, "" for the root itself. `render` is the document's `spec.render` as it
    stands (reconciler.render reads it). `interval` is in seconds. `adopted_by` is what applies it to the cluster.
    """

    name: str
    url: str
    ref: GitRef = GitRef()
    path: str = ""
    render: Mapping[str, Any] = field(default_factory=dict)
    interval: int = DEFAULT_INTERVAL_SECONDS
    suspend: bool = False
    adopted_by: Adopter = field(default_factory=Adopter)

    @property
    def is_local(self) -> bool:
        """True for `file://` and plain paths, which only demo and tests may use."""
        return self.url.startswith(("/", "file://"))


def parse_source(document: Mapping[str, Any]) -> GitSource:
    """The GitSource of one document `{apiVersion, kind: GitSource, metadata, spec}`.

    Raises UsageError that names the field; unknown fields are errors, since one that is ignored (`verify`) would
    promise what nobody keeps.
    """
    if document.get("kind") != KIND or document.get("apiVersion") != API_VERSION:
        raise UsageError(f"not a {KIND} of {API_VERSION}", where="kind")
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, Mapping) or not isinstance(spec, Mapping):
        raise UsageError("metadata and spec must be mappings", where=KIND)
    name = metadata.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError("must be a DNS label (lower case, digits, dashes)", where="metadata.name")
    where = f"GitSource {name}: spec"
    for key in spec:
        if key not in _SPEC_FIELDS:
            known = ", ".join(_SPEC_FIELDS)
            raise UsageError("is not supported by this version", where=f"{where}.{key}", hint=f"known: {known}")
    return GitSource(
        name=name,
        url=_url(spec.get("url"), f"{where}.url"),
        ref=_ref(spec.get("ref") or {}, f"{where}.ref"),
        path=_path(spec.get("path") or "", f"{where}.path"),
        render=_mapping(spec.get("render") or {}, f"{where}.render"),
        interval=_interval(spec.get("interval", DEFAULT_INTERVAL_SECONDS), f"{where}.interval"),
        suspend=_flag(spec.get("suspend", False), f"{where}.suspend"),
        adopted_by=_adopter(spec.get("adoptedBy") or {}, f"{where}.adoptedBy"),
    )


def _url(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError("must be a URL", where=where)
    if any(ord(sign) <= 0x20 or ord(sign) == 0x7F for sign in value):
        raise UsageError("must not hold spaces or control characters", where=where)
    if value.startswith("/"):
        return value
    if _SCP.match(value):
        raise UsageError("must be a URL", where=where, hint="write ssh://user@host/path instead of user@host:path")
    match = _URL.fullmatch(value)
    if not match or "::" in value.partition("://")[0]:
        raise UsageError("must begin with https:// or ssh:// and name a host", where=where)
    user, host = match["user"] or "", match["host"]
    if ":" in user or (user and match[1] != "ssh"):
        raise UsageError("must not hold a user or password", where=where)
    if match[1] != "file" and (not host or host.startswith("-") or user.startswith("-")):
        raise UsageError("names no valid host", where=where)
    return value


def _ref(value: Any, where: str) -> GitRef:
    if not isinstance(value, Mapping):
        raise UsageError("must be a mapping with branch, tag or commit", where=where)
    for key in value:
        if key not in {"branch", "tag", "commit"}:
            raise UsageError("is not supported by this version", where=f"{where}.{key}", hint="branch, tag or commit")
    kinds: tuple[RefKind, ...] = ("commit", "tag", "branch")  # precedence as in Flux
    for kind in kinds:
        text = value.get(kind)
        if text is None:
            continue
        if not isinstance(text, str) or not text or len(text.encode()) > _REF_BYTES or _BAD_REF.search(text):
            raise UsageError("is no valid name of a ref", where=f"{where}.{kind}")
        if kind == "commit" and not _COMMIT.fullmatch(text):
            raise UsageError("must be a full commit id, 40 or 64 hex digits", where=f"{where}.commit")
        return GitRef(kind, text)
    return GitRef()


def _path(value: Any, where: str) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise UsageError("must be a path", where=where)
    parts = [part for part in value.split("/") if part not in {"", "."}]
    if value.startswith("/") or ".." in parts or ".git" in parts:
        raise UsageError("must be relative to the repository's root, without ..", where=where)
    return "/".join(parts)


def _adopter(value: Any, where: str) -> Adopter:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise UsageError("must be a mapping of kind, name and namespace", where=where)
    if not value:
        return Adopter()
    if unknown := sorted(set(value) - {"kind", "name", "namespace"}):
        raise UsageError("is not supported by this version", where=f"{where}.{unknown[0]}")
    if value.get("kind") not in _ADOPTERS:
        raise UsageError(f"must be one of {', '.join(_ADOPTERS)}", where=f"{where}.kind")
    if not value.get("name"):
        raise UsageError("must name the object that applies the source", where=f"{where}.name")
    return Adopter(**value)


def _interval(value: Any, where: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    seconds = (
        sum(int(number or 0) * unit for number, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    )
    if not seconds:
        raise UsageError("must be a duration such as 5m or 1h30m", where=where)
    return seconds


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError("must be true or false", where=where)
    return value


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError("must be a mapping", where=where)
    return value
