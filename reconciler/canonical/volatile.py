"""Owns what the server alone writes into an object, and the live form without it. Must not know policy.

Removed: `status`, and of `metadata` all that is neither identity nor written by people.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from fnmatch import fnmatchcase
from typing import Final

from reconciler.model.tree import Tree

SERVER_METADATA: Final = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "selfLink",
        "managedFields",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    }
)
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
# Annotations that clients and controllers keep for themselves: in Git they are leftovers of an export.
_BOOKKEEPING: Final = (
    LAST_APPLIED,
    "deployment.kubernetes.io/*",
    "deprecated.daemonset.template.generation",
    "autoscaling.alpha.kubernetes.io/conditions",
    "autoscaling.alpha.kubernetes.io/current-metrics",
    "config.kubernetes.io/origin",
    "kapp.k14s.io/identity",
    "kapp.k14s.io/original*",
    "objectset.rio.cattle.io/*",
    "pv.kubernetes.io/*",
    "volume.kubernetes.io/*",
    "volume.beta.kubernetes.io/storage-provisioner",
)
HASHED: Final = "hmac:"


def is_bookkeeping(annotation: str) -> bool:
    """True for annotations that clients and controllers keep for themselves (rule bookkeeping-annotations)."""
    return any(fnmatchcase(annotation, pattern) for pattern in _BOOKKEEPING)


def is_secret(tree: Tree) -> bool:
    """True for `v1` Secret."""
    return isinstance(tree, dict) and tree.get("kind") == "Secret" and tree.get("apiVersion") == "v1"


def strip(tree: dict[str, Tree]) -> dict[str, Tree]:
    """The object without status and server-owned metadata. Shares what is below: nothing is copied but two maps."""
    out = {key: value for key, value in tree.items() if key not in ("status", "metadata")}
    metadata = tree.get("metadata")
    if isinstance(metadata, dict):
        out["metadata"] = {key: value for key, value in metadata.items() if key not in SERVER_METADATA}
    return out


def decoded(text: str) -> bytes | None:
    """The bytes that base64 text stands for, line ends and blanks aside, as API servers read it; None for no base64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def hash_value(key: bytes, kind_of_value: str, text: Tree) -> str:
    """`hmac:<64 hex>` of one value of a Secret; base64 text is hashed as the bytes it stands for."""
    raw = text if isinstance(text, str) else ""
    data = raw.encode("utf-8", "surrogatepass")
    if kind_of_value == "data":
        bytes_said = decoded(raw)
        data = b"not base64:" + data if bytes_said is None else bytes_said
    return HASHED + hmac.new(key, data, hashlib.sha256).hexdigest()


def not_base64(tree: Tree) -> tuple[str, ...]:
    """What the API server will not decode in the `data` of a Secret, without its values."""
    data = tree.get("data") if is_secret(tree) else None
    texts = data.items() if isinstance(data, dict) else ()
    wrong = (name for name, text in texts if isinstance(text, str) and decoded(text) is None)
    return tuple(f"data.{name}: not base64, the API server refuses it" for name in wrong)


def hash_secret(tree: dict[str, Tree], key: bytes) -> dict[str, Tree]:
    """A Secret with `stringData` merged into `data` and each value replaced by its keyed hash."""
    if not is_secret(tree):
        return tree
    hashed: dict[str, Tree] = {}
    for field in ("data", "stringData"):
        values = tree.get(field)
        if isinstance(values, dict):
            hashed.update({name: hash_value(key, field, value) for name, value in values.items()})
    out = {name: value for name, value in tree.items() if name not in ("data", "stringData")}
    if hashed:
        out["data"] = hashed
    return out


def live_form(tree: dict[str, Tree], secret_key: bytes) -> dict[str, Tree]:
    """The live (or requested) object as comparisons take it: stripped, with values of Secrets hashed."""
    return hash_secret(strip(tree), secret_key)
