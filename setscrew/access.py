"""Owns a write that is only tried: the request of a server-side dry run, and whose refusal its answer is.

The API server itself is asked, as the person in question: with RBAC, other admission and the guard in their order.
Nothing is stored, and the guard keeps no record of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from reconciler.cluster.api import ApiClient
from reconciler.cluster.paths import collection_path, object_path
from reconciler.cluster.refusal import words
from reconciler.errors import ApiError, UsageError
from reconciler.model.own import ENTRY_SUFFIX
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree
from reconciler.report.printable import visible

Verb = Literal["create", "update", "patch", "apply", "delete"]
Refuser = Literal["", "setscrew", "rbac", "other"]
VERBS: Final[tuple[Verb, ...]] = ("create", "update", "patch", "apply", "delete")
# What a patch is, by the names that kubectl has for it.
PATCHES: Final[Mapping[str, str]] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_APPLY: Final = "application/apply-patch+yaml"
_MANAGER: Final = "setscrew-check-access"
_WEBHOOK: Final = re.compile(r'admission webhook "([^"]+)" denied the request: ?')
_POLICY: Final = re.compile(r"ValidatingAdmissionPolicy '(setscrew-[a-z-]+)' with binding '[^']*' denied request: ?")
# How RBAC begins; admission says "denied", and quota and others say what they are.
_RBAC: Final = re.compile(r' cannot [a-z]+ resource "| cannot impersonate resource "|attempting to grant')


@dataclass(frozen=True, slots=True)
class Trial:
    """A write that is tried. `body` is the object, or the patch of content type `PATCHES[patch]`; None: a deletion."""

    verb: Verb
    kind: KindInfo
    ref: ObjectRef
    body: Tree = None
    patch: str = "strategic"
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """Whether it would pass, and if not, who refuses it: the guard, RBAC, or somebody else; in whose words."""

    allowed: bool
    by: Refuser = ""
    message: str = ""
    warnings: tuple[str, ...] = ()


def tried(client: ApiClient, reader: ApiClient, trial: Trial) -> Access:
    """What the API server answers to `client`. `reader` reads what an update needs.

    Raises ClusterError where it cannot be asked, UsageError for a write that cannot be tried.
    """
    method, path, body, content = _request(reader, trial)
    query = {"dryRun": "All", **({"fieldManager": _MANAGER} if method != "DELETE" else {})}
    query |= {"force": "true"} if trial.verb == "apply" else {}
    try:
        answer = client.send(method, path, body, query, content_type=content)
    except ApiError as error:
        return refused(error, trial)
    return Access(allowed=True, warnings=tuple(map(visible, answer.warnings)))


def refused(error: ApiError, trial: Trial) -> Access:
    """Whose refusal an error of the API server is. Raises the error where it is none."""
    for pattern, is_ours in ((_WEBHOOK, _is_entry), (_POLICY, bool)):
        match = pattern.search(error.message)
        if match and is_ours(match[1]):
            # The guard's own words hide what is secret.
            return Access(allowed=False, by="setscrew", message=visible(error.message[match.end() :]))
    told = words(error, trial.kind, trial.body)
    if error.status == 403 and _RBAC.search(error.message):
        return Access(allowed=False, by="rbac", message=told)
    if "denied the request" in error.message or "denied request" in error.message or error.status == 403:
        return Access(allowed=False, by="other", message=told)
    raise ApiError(told, status=error.status, reason=error.reason, hint=error.hint) from None


def _is_entry(name: str) -> bool:
    return name.endswith(ENTRY_SUFFIX)


def _request(reader: ApiClient, trial: Trial) -> tuple[str, str, Tree, str]:
    kind, ref, plain = trial.kind, trial.ref, "application/json"
    path = object_path(kind, ref.namespace, ref.name) + (f"/{trial.subresource}" if trial.subresource else "")
    if trial.verb == "delete":
        return "DELETE", path, None, plain
    if trial.body is None:
        raise UsageError(f"{trial.verb} needs what is to be written", hint="-p PATCH or -f FILE")
    if trial.verb == "patch":
        return "PATCH", path, trial.body, PATCHES[trial.patch]
    body = _named(trial)
    if trial.verb == "apply":
        return "PATCH", path, body, _APPLY
    if trial.verb == "create":
        return "POST", collection_path(kind, ref.namespace), body, plain
    version = reader.request("GET", path)["metadata"]["resourceVersion"]
    return "PUT", path, {**body, "metadata": {**body["metadata"], "resourceVersion": version}}, plain


def _named(trial: Trial) -> dict[str, Any]:
    """The object under the name that was given. Raises UsageError for another one."""
    ref, body = trial.ref, trial.body
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(metadata, dict):
        raise UsageError("-f must hold the object, with metadata", where="-f")
    there = (metadata.get("name", ref.name), metadata.get("namespace", ref.namespace) or "")
    if there != (ref.name, ref.namespace):
        raise UsageError(f"the file is of another object than {ref}", where="-f")
    named = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    return {"apiVersion": trial.kind.api_version, "kind": trial.kind.kind, **body, "metadata": {**metadata, **named}}
