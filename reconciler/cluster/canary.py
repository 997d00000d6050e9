"""Owns one try of the canary: a dry-run that the guard must refuse, and what its answer proves. Must not choose.

The change is an annotation that steers Setscrew itself, which no policy lets anyone write. Only a refusal in our own
words, for this very annotation, proves that the guard sees: RBAC, a quota or somebody else's webhook refuse as well.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Final, Literal

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import object_path
from reconciler.errors import ApiError, ClusterError, UnreachableError
from reconciler.model.own import ENTRY_SUFFIX, GROUP
from reconciler.model.ref import KindInfo
from reconciler.model.tree import dig

Proof = Literal["sees", "blind", "silent", "unsure", "gone"]
"""`silent`: writes are refused because the guard does not answer. `gone`: there is no such object to try."""

ANNOTATION: Final = f"{GROUP}/canary"
FIELD_MANAGER: Final = "setscrew-canary"
_QUERY: Final = {"dryRun": "All", "fieldManager": FIELD_MANAGER}
_MERGE: Final = "application/merge-patch+json"
_REFUSED: Final = re.compile(r'admission webhook "([^"]+)" denied the request')
_FAILED: Final = re.compile(r'failed calling webhook "([^"]+)"')
# Warnings of ours begin so: a grant that names everybody names the canary, too.
_OUR_WORDS: Final = "Setscrew: "
_UNSERVED: Final = frozenset({404, 405})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one try has shown; `detail` says why, `fix` what to do where something can be done."""

    proof: Proof
    detail: str = ""
    fix: str = ""


def attempt(client: ApiClient, kind: KindInfo, namespace: str, name: str, subresource: str = "") -> Finding:
    """Ask the API server for a change that the guard must refuse, as a dry-run. Raises nothing."""
    mark = secrets.token_hex(8)  # a value that was there before would be no change
    path = object_path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
    body = {"metadata": {"annotations": {ANNOTATION: mark}}}
    try:
        answer = client.send("PATCH", path, body, _QUERY, content_type=_MERGE)
    except ApiError as error:
        return _refusal(error)
    except UnreachableError as error:
        return Finding("unsure", error.message, "the API server must answer")
    except ClusterError as error:
        return Finding("unsure", error.message)
    if let := [one for one in answer.warnings if one.startswith(_OUR_WORDS)]:
        return Finding(
            "unsure", f"the guard saw it, and let it pass: {let[0]}", "let no grant name the canary's identity"
        )
    if dig(answer.body, "metadata", "annotations", ANNOTATION) != mark:
        return Finding(
            "unsure",
            f"something took the annotation {ANNOTATION} out of the request before the guard was asked",
            "let no mutating webhook or policy touch annotations of setscrew.dev",
        )
    return Finding(
        "blind",
        "its change was admitted",
        "does the registered address answer, is it this server? see docs/how-to/know-when-it-was-blind.md",
    )


def _refusal(error: ApiError) -> Finding:
    said = error.message
    if refused := _REFUSED.match(said):
        if not refused[1].endswith(ENTRY_SUFFIX):
            return Finding("unsure", f"another webhook refused first: {said}", "let it pass the canary's identity")
        if any(ANNOTATION in f"{field} {message}" for field, _, message in error.causes):
            return Finding("sees")
        return Finding("unsure", f"refused, but not for what it changes: {said}")
    if failed := _FAILED.search(said):
        if failed[1].endswith(ENTRY_SUFFIX):
            return Finding("silent", said, "start the admission server: writes that it should judge are refused")
        return Finding("unsure", f"another webhook does not answer: {said}")
    if error.status in _UNSERVED:
        return Finding("gone", said)
    if error.status == 401:
        return Finding("unsure", said, "renew the credentials of --canary-kubeconfig")
    if error.status == 403 and "cannot patch" in said:
        return Finding("unsure", said, "give the canary the right to patch this kind (manifests/base/rbac.yaml)")
    return Finding("unsure", f"somebody else refused it: {said}")
