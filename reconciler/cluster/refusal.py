"""Owns the words for what the API server refuses: a sentence, and the cause that a retry waits for. Pure.

Its messages quote objects: of one that holds secrets nothing of them may be said, and nothing that steers a terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.compare.mask import SECRET_NAME
from reconciler.errors import ApiError, ClusterError
from reconciler.model.ref import KindInfo
from reconciler.model.tree import Tree
from reconciler.report.printable import one_line

BUSY: Final = frozenset({429, 500, 502, 503, 504})
# What a message may say of why without any value, as it is said for people; the first that is in it counts.
_PHRASES: Final = {
    " cannot patch resource ": "no right to patch it",
    " cannot create resource ": "no right to create it",
    " cannot get resource ": "no right to get it",
    "unable to handle the request": "the server is currently unable to handle the request",
    "conversion webhook": "a conversion webhook failed",
    "attempting to grant": "it would grant rights that the writer lacks",
    "exceeded quota": "exceeded quota",
    "being terminated": "the namespace is being deleted",
    "failed calling webhook": "failed calling webhook",
    "failed to call webhook": "failed calling webhook",
    "denied the request": "an admission webhook denied the request",
    "denied request": "an admission policy denied the request",
    "does not support dry run": "a webhook does not take dry-runs",
    "object has been modified": "the object has been modified",
    "uid mismatch": "the object has been deleted",
    "field is immutable": "field is immutable",
    "may not change once set": "may not change once set",
    "updates to statefulset spec": "of a StatefulSet only some fields may change",
    "spec is immutable": "spec is immutable",
    "is immutable": "is immutable",
    "Required value": "Required value",
    "Duplicate value": "Duplicate value",
    "Unsupported value": "Unsupported value",
    "Too long": "Too long",
    "Too many": "Too many",
    "Invalid value": "Invalid value",
    "Forbidden": "Forbidden",
}
_WEBHOOK: Final = re.compile(r'admission webhook "([a-z0-9.-]{1,253})" denied the request')
_FIELD: Final = re.compile(r"[\w.\[\]/:*-]{1,200}")
_FIELDS: Final = 5
# A value that is printed whole, in Go's way or as JSON: of what it holds nobody knows the names any more.
_DUMP: Final = re.compile(r"[{\n]|\bmap\[")
# Statuses of answers to a read that quote no object: they are about who asks, or what is served.
_PLAIN: Final = frozenset({401, 403, 404, 405, 410, 429})


@dataclass(frozen=True, slots=True)
class Refusal:
    """`cause` says what must change before a retry makes sense; "" means the object itself in Git.

    Causes: `namespace:NS`, `kind:GROUP/KIND`, `quota:NS`, `limits:NS`, `right`, `webhook`, `policy`, `name`,
    `conflict`, `server`, `unreachable`.
    """

    reason: str
    cause: str


def refusal(error: ApiError, kind: KindInfo, namespace: str, *, copied: bool, tree: Tree = None) -> Refusal:
    """What `error`, the answer to a dry-run of `tree`, means; `copied`: it ran under a scratch name."""
    text = words(error, kind, tree)
    match error.status:
        case 404 if error.reason == "NotFound" and error.message.startswith("namespaces "):
            return Refusal(f"namespace {namespace} does not exist yet", f"namespace:{namespace}")
        case 404:
            return Refusal(f"the API server does not serve {kind.kind} in {kind.api_version} yet", _kind_cause(kind))
        case 403 | 422 if copied and _by_name(error):
            return Refusal(f"the object cannot be tried under another name: {text}", "name")
        case 403:
            return _forbidden(error, text, kind, namespace)
        case 413:
            return Refusal("the object is larger than the API server takes", "")
        case 409:
            return Refusal(f"it changes too fast to be tried: {text}", "conflict")
    if error.status == 400 and "does not support dry run" in error.message:
        return Refusal(f"a webhook does not take dry-runs: {text}", "webhook")
    if "failed calling webhook" in error.message or "failed to call webhook" in error.message:
        return Refusal(f"a webhook does not answer: {text}", "webhook")
    if error.status in BUSY:
        return Refusal(f"the API server is not able to answer: {text}", "server")
    cause = "policy" if _denied(error) else ""
    return Refusal(f"the API server does not accept it: {text}", cause)


def _forbidden(error: ApiError, text: str, kind: KindInfo, namespace: str) -> Refusal:
    message = error.message
    if "exceeded quota" in message or "failed quota" in message or "insufficient quota" in message:
        return Refusal(f"a quota of namespace {namespace} refuses it: {text}", f"quota:{namespace}")
    if "being terminated" in message:
        return Refusal(f"namespace {namespace} is being deleted", f"namespace:{namespace}")
    if _denied(error):
        return Refusal(f"an admission policy refuses it: {text}", "policy")
    if "usage per" in message or "limit to request ratio" in message:
        return Refusal(f"a LimitRange of namespace {namespace} refuses it: {text}", f"limits:{namespace}")
    if "cannot " in message or "attempting to grant" in message:
        return Refusal(f"the canonicalizer lacks a right on {kind.resource}: {text}", "right")
    return Refusal(f"admission refuses it: {text}", "policy")


def _by_name(error: ApiError) -> bool:
    """Whether the name may be all that is wrong: a field says so, or admission denied what may pass as it is."""
    return any(field == "metadata.name" for field, _, _ in error.causes) or _denied(error)


def _denied(error: ApiError) -> bool:
    return "denied the request" in error.message or "denied request" in error.message


def words(error: ApiError, kind: KindInfo, tree: Tree = None) -> str:
    """The API server's words about `tree`; of a Secret, and where they may quote a secret, only the places."""
    secret = (kind.group, kind.kind) == ("", "Secret")
    if secret or _DUMP.search(error.message) or any(one in error.message for one in _secrets(tree)):
        return without_values(error)
    return one_line(error.message)


def told(error: ClusterError) -> str:
    """Why something cannot be read, in one line: what converts objects may quote them."""
    if isinstance(error, ApiError) and error.status not in _PLAIN:
        return one_line(without_values(error))
    return one_line(error.message)


def without_values(error: ApiError) -> str:
    """What was refused, where, and why as far as known phrases tell it: a message may quote a whole object.

    A webhook that denied is named, as the API server itself begins to say it.
    """
    places = sorted({field for field, _, _ in error.causes if _FIELD.fullmatch(field)})
    more = [f"{len(places) - _FIELDS} more"] if len(places) > _FIELDS else []
    by = _WEBHOOK.match(error.message)
    why = next((said for phrase, said in _PHRASES.items() if phrase in error.message), "")
    said = f"admission webhook {by[1]} denied the request" if by else why
    refused = _placed(error, [*places[:_FIELDS], *more])
    return f"{refused}: {said}" if said and said != error.reason else refused


def _placed(error: ApiError, places: list[str]) -> str:
    # Webhooks may give a reason of their own.
    word = error.reason if error.reason.isalpha() else f"HTTP {error.status}"
    return f"{word} at {', '.join(places)}" if places else word


def _secrets(tree: Tree) -> Iterator[str]:
    """Values of variables whose names tell that they are secret, also as a message may quote them."""
    if isinstance(tree, list):
        for item in tree:
            yield from _secrets(item)
    elif isinstance(tree, dict):
        value = tree.get("value")
        if isinstance(value, str) and value and SECRET_NAME.search(str(tree.get("name", ""))):
            yield from (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
        for item in tree.values():
            yield from _secrets(item)


def _kind_cause(kind: KindInfo) -> str:
    return f"kind:{kind.group}/{kind.kind}"
