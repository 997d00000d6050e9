"""Owns which names are taken from a payload: refs, object ids, URLs. Pure; every function raises ValueError or returns.

Names are only compared with what is configured, never looked up; what Git would not take is refused all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from reconciler.limits import PUSH_REF_BYTES, PUSH_URL_CHARS
from webhook.api.providers.verdict import PushedRef

_OBJECT_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What `git check-ref-format` forbids in a name.
_BAD_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|[./]$")
_KINDS: Final = {
    "branch": "refs/heads/",
    "named_branch": "refs/heads/",
    "tag": "refs/tags/",
    "annotated_tag": "refs/tags/",
}


def moved(name: Any, new_id: Any) -> PushedRef:
    """A ref with its new id; all zeros: it was deleted."""
    found = object_id(new_id)
    return PushedRef(full_ref(name), found, deleted=found is None)


def gone(name: Any) -> PushedRef:
    """A ref that was deleted."""
    return PushedRef(full_ref(name), None, deleted=True)


def full_ref(name: Any) -> str:
    """A full name as Git allows it."""
    if not isinstance(name, str) or not name.startswith("refs/") or len(name.encode()) > PUSH_REF_BYTES:
        raise ValueError("the ref is not a full name")
    if _BAD_REF.search(name):
        raise ValueError("the ref is not a valid name")
    return name


def ref_of_kind(kind: Any, name: Any) -> str:
    """The full name of a ref that is sent as `branch` or `tag` and a short name."""
    if not isinstance(kind, str) or kind not in _KINDS or not isinstance(name, str):
        raise ValueError("neither a branch nor a tag")
    return full_ref(_KINDS[kind] + name)


def object_id(value: Any) -> str | None:
    """An id of SHA-1 or SHA-256 in lower case; None for zeros."""
    if not isinstance(value, str) or not _OBJECT_ID.fullmatch(value):
        raise ValueError("the new id is not an object id")
    return value if value.strip("0") else None


def urls(holder: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """The URLs that `holder` has under these names, at least one."""
    return some_url(*(holder.get(name) for name in names))


def some_url(*values: Any) -> tuple[str, ...]:
    """Those that are a text which can be compared, at least one."""
    found = tuple(value for value in values if isinstance(value, str) and value and len(value) <= PUSH_URL_CHARS)
    if not found:
        raise ValueError("the repository has no URL")
    "".join(found).encode()
    return found
