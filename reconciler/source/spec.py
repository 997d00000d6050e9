"""Owns GitSource: which repository, ref and path, and reading it from its document. Pure; must not run git."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from reconciler.errors import UsageError
from reconciler.limits import GIT_SECONDS
from reconciler.model.own import API_VERSION
from reconciler.snapshot.model import Adopter
from reconciler.source import fields
from reconciler.source.secret import SecretRef
from reconciler.source.semver import parse_constraint

KIND: Final = "GitSource"
DEFAULT_INTERVAL_SECONDS: Final = 300

RefKind = Literal["branch", "tag", "semver", "name", "commit", "head"]
VerifyMode = Literal["", "HEAD", "Tag", "TagAndHEAD", "strict"]
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# These, as definitions in a cluster have them: written for RE2, too.
COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What `git check-ref-format` refuses, plus a leading dash; 255 bytes are our own bound.
BAD_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|^[-./]|[./]$|\.lock(/|$)|^@$")
_SPEC_FIELDS: Final = (
    "url",
    "ref",
    "path",
    "paths",
    "ignore",
    "render",
    "interval",
    "timeout",
    "suspend",
    "secretRef",
    "proxySecretRef",
    "verify",
    "requireFastForward",
    "allowPrivateHosts",
    "recurseSubmodules",
    "lfs",
    "adoptedBy",
)
# The first that is given counts, as in Flux.
_REFS: Final[tuple[RefKind, ...]] = ("commit", "name", "semver", "tag", "branch")
MODES: Final[tuple[VerifyMode, ...]] = ("HEAD", "Tag", "TagAndHEAD", "strict")
ADOPTERS: Final = ("Application", "HelmRelease", "Kustomization")
REF_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class GitRef:
    """What of the repository: a branch, a tag, the highest tag of a range (semver), a ref by its full name, one commit.

    "head" is whatever the remote's default branch is. A "name" may be short, as Argo CD has it: a branch, else a tag.
    """

    kind: RefKind = "head"
    value: str = ""

    @property
    def full(self) -> str:
        """As git knows it: `refs/heads/main`, `refs/tags/v1`, `refs/tags/*` (semver), `HEAD`, or the commit's id."""
        if self.kind == "semver":
            return "refs/tags/*"
        prefix = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(self.kind, "")
        return f"{prefix}{self.value}" if self.value else "HEAD"

    @property
    def candidates(self) -> tuple[str, ...]:
        """The full names that it may have, best first."""
        if self.kind != "name" or self.value.startswith("refs/"):
            return (self.full,)
        return (f"refs/heads/{self.value}", f"refs/tags/{self.value}")

    def __str__(self) -> str:
        """As people say it: `main`, `v1`, `HEAD`."""
        return self.value or "HEAD"


@dataclass(frozen=True, slots=True)
class Verification:
    """Which signatures a revision must carry ("": none), and the Secret with the keys that may sign."""

    mode: VerifyMode = ""
    keys: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class GitSource:
    """A repository, a ref and a path, and how to render it.

    `path` is relative to the repository's root, "" for the root itself. `render` is the document's `spec.render` as it
    stands (reconciler.render reads it). `interval` and `timeout` are in seconds. `adopted_by` is what applies it to the
    cluster. `paths` are what of the repository is fetched for bases and value files ("": all), `ignore` what of it is
    left out, both as gitignore writes patterns. `beside` are other repositories, by the name under which value files
    call them (`$name/path`). `wants_fast_forward`: a revision that does not descend from the last is refused.
    `remarks` say what of its definition cannot be had.
    """

    name: str
    url: str
    ref: GitRef = GitRef()
    path: str = ""
    render: Mapping[str, Any] = field(default_factory=dict)
    interval: int = DEFAULT_INTERVAL_SECONDS
    suspend: bool = False
    adopted_by: Adopter = field(default_factory=Adopter)
    timeout: int = GIT_SECONDS
    secret: SecretRef | None = None
    proxy_secret: SecretRef | None = None
    verify: Verification = Verification()
    paths: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    wants_fast_forward: bool = False
    allow_private_hosts: bool = False
    beside: tuple[tuple[str, GitSource], ...] = ()
    remarks: tuple[str, ...] = ()

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
    fields.mapping(spec, where, _SPEC_FIELDS)
    for key, why in (("recurseSubmodules", "submodules"), ("lfs", "files of Git LFS")):
        fields.never(spec.get(key, False), f"{where}.{key}", f"{why} are not fetched: keep manifests in the repository")
    # Null is absent, but who writes `verify` has meant to ask for something.
    spec = {key: value for key, value in spec.items() if value is not None or key == "verify"}
    ref = _ref(spec.get("ref", {}), f"{where}.ref")
    return GitSource(
        name=name,
        url=fields.url(spec.get("url"), f"{where}.url"),
        ref=ref,
        path=fields.path(spec.get("path", ""), f"{where}.path"),
        render=fields.mapping(spec.get("render", {}), f"{where}.render"),
        interval=fields.seconds(spec.get("interval", DEFAULT_INTERVAL_SECONDS), f"{where}.interval"),
        suspend=fields.flag(spec.get("suspend", False), f"{where}.suspend"),
        adopted_by=_adopter(spec["adoptedBy"], f"{where}.adoptedBy") if "adoptedBy" in spec else Adopter(),
        timeout=fields.seconds(spec.get("timeout", GIT_SECONDS), f"{where}.timeout"),
        secret=_secret(spec, "secretRef", where),
        proxy_secret=_secret(spec, "proxySecretRef", where),
        verify=_verification(spec["verify"], f"{where}.verify", ref) if "verify" in spec else Verification(),
        paths=fields.patterns(spec.get("paths", []), f"{where}.paths"),
        ignore=fields.patterns(spec.get("ignore", []), f"{where}.ignore"),
        wants_fast_forward=fields.flag(spec.get("requireFastForward", False), f"{where}.requireFastForward"),
        allow_private_hosts=fields.flag(spec.get("allowPrivateHosts", False), f"{where}.allowPrivateHosts"),
    )


def _ref(value: Any, where: str) -> GitRef:
    fields.mapping(value, where, _REFS)
    given = [_ref_of(kind, value[kind], f"{where}.{kind}") for kind in _REFS if value.get(kind) is not None]
    return given[0] if given else GitRef()


def _ref_of(kind: RefKind, text: Any, place: str) -> GitRef:
    if kind == "semver":
        return GitRef(kind, str(parse_constraint(text, place)))
    if not isinstance(text, str) or not text or len(text.encode()) > REF_BYTES or BAD_REF.search(text):
        raise UsageError("is no valid name of a ref", where=place)
    if kind == "commit" and not COMMIT.fullmatch(text):
        raise UsageError("must be a full commit id, 40 or 64 hex digits", where=place)
    if kind == "name" and not text.startswith("refs/"):
        raise UsageError("must be a full name", where=place, hint="such as refs/heads/main or refs/pull/420/head")
    return GitRef(kind, text)


def _secret(spec: Mapping[str, Any], key: str, where: str) -> SecretRef | None:
    return fields.secret(spec[key], f"{where}.{key}") if key in spec else None


def _verification(value: Any, where: str, ref: GitRef) -> Verification:
    mode = fields.mapping(value, where, ("mode", "secretRef")).get("mode", "HEAD")
    if mode not in MODES:
        raise UsageError(f"must be one of {', '.join(MODES)}", where=f"{where}.mode")
    if mode.startswith("Tag") and ref.kind not in {"tag", "semver"} and not ref.value.startswith("refs/tags/"):
        raise UsageError("needs a source that follows a tag", where=f"{where}.mode", hint="set ref.tag or ref.semver")
    return Verification(mode, fields.secret(value.get("secretRef"), f"{where}.secretRef"))


def _adopter(value: Any, where: str) -> Adopter:
    found = fields.mapping(value, where, ("kind", "name", "namespace"))
    if not all(isinstance(text, str) for text in found.values()):
        raise UsageError("must be a mapping of kind, name and namespace", where=where)
    if found.get("kind") not in ADOPTERS:
        raise UsageError(f"must be one of {', '.join(ADOPTERS)}", where=f"{where}.kind")
    if not found.get("name"):
        raise UsageError("must name the object that applies the source", where=f"{where}.name")
    return Adopter(**found)
