"""Owns which repository Secret of Argo CD is for which URL. Must not read a value beyond the URL."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model.tree import dig
from reconciler.source.secret import SecretRef

LABEL: Final = "argocd.argoproj.io/secret-type"
REPOSITORY: Final = "repository"
TEMPLATE: Final = "repo-creds"
_SCP: Final = re.compile(r"(?P<user>[\w.-]+@)?(?P<host>[\w.-]+):(?!//)(?P<path>.*)")
_CREDENTIALS: Final = frozenset(
    {"username", "password", "bearerToken", "sshPrivateKey", "tlsClientCertData", "githubAppPrivateKey"}
    | {"gcpServiceAccountKey", "useAzureWorkloadIdentity", "azureServicePrincipalClientSecret"}
)

SecretFor = Callable[[str], SecretRef | None]
"""The Secret with the credentials for a repository's URL, None if it needs none."""


def none_for(url: str) -> SecretRef | None:  # noqa: ARG001 - what a SecretFor is called with
    """Where no repository has credentials."""
    return None


@dataclass(frozen=True, slots=True)
class RepositorySecret:
    """A Secret labelled as one of Argo CD's: its `kind` (repository or repo-creds), and the URL, or begin of URLs.

    A repository `without_credentials` takes those of the best template.
    """

    ref: SecretRef
    kind: str
    url: str
    without_credentials: bool = False


def repository_secret(secret: Mapping[str, Any]) -> RepositorySecret | None:
    """What a Secret says about repositories of Git; None for any other Secret."""
    kind = dig(secret, "metadata", "labels", LABEL)
    metadata, data = secret.get("metadata") or {}, secret.get("data") or {}
    url = _text(data.get("url"))
    if kind not in (REPOSITORY, TEMPLATE) or not url or _text(data.get("type")) not in ("", "git"):
        return None
    ref = SecretRef(str(metadata.get("name")), str(metadata.get("namespace") or ""))
    return RepositorySecret(ref, kind, url, without_credentials=not _CREDENTIALS & data.keys())


def secret_for(secrets: Iterable[RepositorySecret]) -> SecretFor:
    """Looks a URL up as Argo CD does: the repository of that URL, else the template with the longest fitting begin."""
    known = sorted(secrets, key=lambda one: (str(one.ref.namespace), one.ref.name))
    exact = {normal(one.url): one for one in reversed(known) if one.kind == REPOSITORY}
    templates = sorted((one for one in known if one.kind == TEMPLATE), key=lambda one: -len(normal(one.url)))

    def look(url: str) -> SecretRef | None:
        own = exact.get(normal(url))
        if own is not None and not own.without_credentials:
            return own.ref
        fitting = (one for one in templates if _begins(normal(url), normal(one.url)))
        template = next(fitting, None)
        return template.ref if template is not None else None

    return look


def _begins(url: str, template: str) -> bool:
    """Whether `url` begins like this, at the same host: `https://git.example.com.evil.example` begins alike, too."""
    rest = url.removeprefix(template)
    return url.startswith(template) and ("/" in template.partition("://")[2] or rest[:1] in ("", "/"))


def normal(url: str) -> str:
    """A URL as Argo CD compares them: small letters, without `.git` and slash at the end, scp form as ssh."""
    text = url.strip().lower().removesuffix("/").removesuffix(".git").removesuffix("/")
    if "://" not in text and (match := _SCP.fullmatch(text)):
        return f"ssh://{match['user'] or ''}{match['host']}/{match['path'].lstrip('/')}"
    return text


def _text(value: Any) -> str:
    try:
        return base64.b64decode(value, validate=True).decode() if isinstance(value, str) else ""
    except (binascii.Error, ValueError):
        return ""
