"""Owns what must hold of every answer, known without the code under test: plain equality of parsed JSON, no more.

The rule that is held against decide(): a person's update of an object that is as Git wants it may change no content.
Equalities that every reader of Kubernetes objects grants are granted: nothing and empty, one number or quantity in two
spellings, order and repetition in a list (whether they count is a rule of its own, and the decision cases hold it).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Container, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from kubernetes.utils.quantity import parse_quantity

ANSWER_BYTES: Final = 512 * 1024
_SERVERS_OWN: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_REQUEST: Final = ("operation", "resource", "kind", "subResource", "name", "namespace", "userInfo", "oldObject")
# Allocated by the server: removing one asks for another.
_ALLOCATED: Final = frozenset({"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "nodePort"})
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_FREE_KEY: Final = "kubectl.kubernetes.io/restartedAt"
_TEMPLATE_NOTES: Final = ("spec", "template", "metadata", "annotations")


def broken_form(answer: bytes, uids: Container[str]) -> str:
    """What is wrong with the form of an answer, or ""."""
    if len(answer) > ANSWER_BYTES:
        return f"the answer has {len(answer)} bytes"
    try:
        response = json.loads(answer.decode("utf-8"))["response"]
        allowed, code = response["allowed"], response.get("status", {}).get("code")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return f"the answer cannot be read: {error!r}"
    if response["uid"] not in uids:
        return f"the answer is for {response['uid']!r}"
    if not isinstance(allowed, bool) or code != (None if allowed else 403):
        return "the verdict is none"
    return "" if b"internal-error" not in answer else "internal error"


def must_deny(base: Mapping[str, Any], git: Mapping[str, Any], body: bytes) -> str:
    """Why the guard may not admit `body`, which came of the request `base` of a person; "" where this oracle is silent.

    `git` is the object's manifest.
    """
    try:
        request = json.loads(body.decode("utf-8"))["request"]
        same = all(request.get(key) == base[key] for key in _REQUEST)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return "no reader of JSON takes it" if not _parses(body) else ""
    if not same or base["operation"] != "UPDATE":
        return ""
    was, now = base["oldObject"], request.get("object")
    if not isinstance(now, dict):
        return "there is no object to compare"
    if _content(was, git["kind"]) != _content(now, git["kind"]):
        return "content changes"
    return _declared_metadata(git, now) or _lifetime(was, now)


def _parses(body: bytes) -> bool:
    try:
        json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


def _content(tree: Mapping[str, Any], kind: str) -> Any:
    content = {key: value for key, value in tree.items() if key not in _SERVERS_OWN}
    if kind == "Secret" and isinstance(content.get("data"), dict):
        content["data"] = {key: _bytes(value) for key, value in content["data"].items()}
    return normal(content)


def _bytes(value: Any) -> Any:
    """What a value of a Secret stands for: base64 has several spellings of the same."""
    try:
        return base64.b64decode(value).hex()
    except (ValueError, TypeError):
        return value


def _declared_metadata(git: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    metadata = now.get("metadata")
    for name in ("labels", "annotations"):
        after = (metadata.get(name) if isinstance(metadata, dict) else None) or {}
        for key, value in (git["metadata"].get(name) or {}).items():
            if key != _LAST_APPLIED and (not isinstance(after, dict) or after.get(key) != value):
                return f"the {name} that Git declares change"
    return ""


def _lifetime(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Finalizers and owners say when an object goes: a person takes none of the first away, nor makes the second."""
    before, after = was["metadata"], now.get("metadata")
    after = after if isinstance(after, dict) else {}
    if any(name not in _items(after.get("finalizers")) for name in _items(before.get("finalizers"))):
        return "a finalizer is taken away"
    known = [owner["uid"] for owner in _items(before.get("ownerReferences"))]
    owners = [owner for owner in _items(after.get("ownerReferences")) if isinstance(owner, dict)]
    return "an owner is made up" if any(owner.get("uid") not in known for owner in owners) else ""


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def normal(value: Any, place: tuple[str, ...] = ()) -> Any:
    """`value` in a form where the granted equalities are equal; nothing and empty are None."""
    if isinstance(value, dict):
        members = {key: normal(below, (*place, key)) for key, below in value.items() if key not in _ALLOCATED}
        if place == _TEMPLATE_NOTES:
            members.pop(_FREE_KEY, None)
        return {key: below for key, below in sorted(members.items()) if below is not None} or None
    if isinstance(value, list):
        # Kept as trees: a text that quotes texts that quote texts doubles with each level.
        items = {repr(one): one for one in (normal(below, (*place, "[]")) for below in value)}
        return [items[text] for text in sorted(items)] or None
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float, str)):
        return None if value == "" else _number(value)
    return None


def _number(value: float | str) -> Any:
    try:
        return ("number", Decimal(parse_quantity(value)).normalize())  # type: ignore[no-untyped-call]
    except (ValueError, InvalidOperation, OverflowError):
        return value
