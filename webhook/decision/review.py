"""Owns the wire form: AdmissionReview v1 bytes to a Request and a Decision back to bytes. Must not judge.

Source of the shape: k8s.io/api/admission/v1. Everything in it is hostile until it has been read here: the envelope and
the names of the objects' members at once, in one pass, their values in `webhook.decision.raw` when somebody looks.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from reconciler.errors import ReviewError
from reconciler.limits import REVIEW_BODY_BYTES, REVIEW_NAME_BYTES, REVIEW_WIRE_BYTES
from webhook.decision.raw import MALFORMED, TOO_DEEP, Members, RawObjects
from webhook.decision.types import Decision, Identity, Request


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
    object: Members | None = None
    old_object: Members | None = None
    dry_run: bool | None = None


class _Review(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    request: _Request | None = None


_DECODER: Final = msgspec.json.Decoder(_Review)
_ENCODER: Final = msgspec.json.Encoder()
WRONG_VERSION: Final = "SS5002"
TOO_LARGE: Final = "SS5003"
WRONG_PATH: Final = "SS5005"
NOT_JSON: Final = "SS5006"


def decode(body: bytes) -> Request:
    """Read one AdmissionReview. Raises ReviewError with the HTTP status to answer (400, 413, 422).

    Of the objects only the members are known then: a look at them may raise ReviewError as well.
    """
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
        objects=RawObjects(raw.object, raw.old_object),
        dry_run=bool(raw.dry_run),
    )


def _namespace(raw: _Request) -> str:
    """Requests on a Namespace carry its own name as namespace, though the kind is cluster-scoped."""
    if (raw.resource.group, raw.resource.resource) == ("", "namespaces"):
        return ""
    return raw.namespace or ""


def encode(uid: str, decision: Decision) -> bytes:
    """The answer as the API server reads it."""
    return _ENCODER.encode(decision.response(uid))
