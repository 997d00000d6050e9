"""Owns the wire form: AdmissionReview v1 bytes to a Request and a Decision back to bytes. Must not judge.

Source of the shape: k8s.io/api/admission/v1. Everything in it is hostile until it has been read here.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from reconciler.errors import ReviewError
from reconciler.limits import REVIEW_BODY_BYTES, REVIEW_DEPTH, REVIEW_NAME_BYTES, REVIEW_WIRE_BYTES
from reconciler.model.tree import Tree, deeper_than
from webhook.decision.types import Decision, Identity, Request

_NULL: Final = msgspec.Raw(b"null")


class _Kind(msgspec.Struct):
    group: str
    version: str
    kind: str


class _Resource(msgspec.Struct):
    group: str
    version: str
    resource: str


class _User(msgspec.Struct):
    username: str = ""
    uid: str = ""
    groups: list[str] | None = None
    extra: dict[str, list[str] | None] | None = None


class _Request(msgspec.Struct, rename="camel"):
    uid: str
    kind: _Kind
    resource: _Resource
    operation: Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
    user_info: _User
    sub_resource: str | None = None
    name: str | None = None
    namespace: str | None = None
    object: msgspec.Raw = _NULL
    old_object: msgspec.Raw = _NULL
    dry_run: bool | None = None


class _Review(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    request: _Request | None = None


_DECODER: Final = msgspec.json.Decoder(_Review)
_Members = dict[str, msgspec.Raw]
_MEMBERS: Final = msgspec.json.Decoder(_Members)
_METADATA: Final = msgspec.json.Decoder(_Members | None)
_VALUE: Final = msgspec.json.Decoder()
# Identity is needed to judge, changed or not.
_KEPT: Final = frozenset({"apiVersion", "kind", "metadata"})
_ENCODER: Final = msgspec.json.Encoder()
MALFORMED: Final = "SS5001"
WRONG_VERSION: Final = "SS5002"
TOO_LARGE: Final = "SS5003"
TOO_DEEP: Final = "SS5004"
WRONG_PATH: Final = "SS5005"
NOT_JSON: Final = "SS5006"


def decode(body: bytes) -> Request:
    """Read one AdmissionReview. Raises ReviewError with the HTTP status to answer (400, 413, 422)."""
    if len(body) > REVIEW_BODY_BYTES and (len(body) > REVIEW_WIRE_BYTES or stored_bytes(body) > REVIEW_BODY_BYTES):
        raise ReviewError(f"the review is larger than {REVIEW_BODY_BYTES} bytes", status=413, code=TOO_LARGE)
    try:
        body.decode()  # the reader does not look at names that nobody knows
        review = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReviewError(f"not an AdmissionReview: {error}", code=MALFORMED) from error
    except RecursionError as error:
        raise ReviewError("nested too deeply", code=TOO_DEEP) from error
    if (review.api_version, review.kind) != ("admission.k8s.io/v1", "AdmissionReview"):
        what = f"{review.kind[:80]!r} of {review.api_version[:80]!r}"
        raise ReviewError(f"expected AdmissionReview of admission.k8s.io/v1, got {what}", code=WRONG_VERSION)
    if review.request is None or not review.request.uid:
        raise ReviewError("the review has no request, or its request no uid", code=MALFORMED)
    return _request(review.request)


def stored_bytes(body: bytes) -> int:
    """About the bytes that etcd would need for the objects of `body`; seldom more, and never more than its length.

    An escape counts as the one byte that it stands for, and of the name of a member REVIEW_NAME_BYTES do not count:
    built-in kinds are stored without names, so that 1.5 MiB of a ClusterRole can be 9 MiB of JSON.
    """
    plain = body.replace(rb"\\", b"_")  # each backslash that is left begins an escape
    undone = plain.count(b"\\") + 4 * plain.count(rb"\u")
    return len(plain) - undone - REVIEW_NAME_BYTES * plain.count(b'":')


def _request(raw: _Request) -> Request:
    new, old = _objects(raw)
    user = raw.user_info
    extra = {key: tuple(values or ()) for key, values in (user.extra or {}).items()}
    return Request(
        uid=raw.uid,
        group=raw.resource.group,
        version=raw.resource.version,
        resource=raw.resource.resource,
        kind=raw.kind.kind,
        operation=raw.operation,
        identity=Identity(user.username, tuple(user.groups or ()), user.uid, extra),
        namespace=_namespace(raw),
        name=raw.name or "",
        subresource=raw.sub_resource or "",
        object=new,
        old=old,
        dry_run=bool(raw.dry_run),
    )


def _objects(raw: _Request) -> tuple[Tree, Tree]:
    """`object` and `oldObject` without what the request leaves as it is: equal bytes are never decoded.

    Equal bytes prove "untouched"; unequal ones prove nothing, so those members are decoded and compared by value.
    """
    try:
        new, old = _members(raw.object), _members(raw.old_object)
        if new is not None and old is not None:
            for key in [key for key, value in new.items() if key not in _KEPT and old.get(key) == value]:
                del new[key], old[key]
        return _decoded(new), _decoded(old)
    except RecursionError as error:
        raise ReviewError("nested too deeply", status=422, code=TOO_DEEP) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReviewError(f"object and oldObject must be objects or null: {error}", code=MALFORMED) from error


def _members(raw: msgspec.Raw) -> _Members | None:
    return None if raw == _NULL else _MEMBERS.decode(raw)


def _decoded(members: _Members | None) -> Tree:
    if members is None:
        return None
    tree = {key: _VALUE.decode(value) for key, value in members.items() if key != "metadata"}
    if "metadata" in members:
        # Half of many objects, and who wrote what is never judged.
        inner = _METADATA.decode(members["metadata"]) or {}
        tree["metadata"] = {key: _VALUE.decode(value) for key, value in inner.items() if key != "managedFields"}
    if deeper_than(tree, REVIEW_DEPTH):
        raise ReviewError(f"an object is nested more than {REVIEW_DEPTH} levels deep", status=422, code=TOO_DEEP)
    return tree


def _namespace(raw: _Request) -> str:
    """Requests on a Namespace carry its own name as namespace, though the kind is cluster-scoped."""
    if (raw.resource.group, raw.resource.resource) == ("", "namespaces"):
        return ""
    return raw.namespace or ""


def encode(uid: str, decision: Decision) -> bytes:
    """The answer as the API server reads it."""
    return _ENCODER.encode(decision.response(uid))
