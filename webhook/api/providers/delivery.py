"""Owns one delivery as it came: headers in any case, raw body, and the JSON in it. Pure; must not judge it."""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_FORM: Final = "application/x-www-form-urlencoded"
_FIELD: Final = b"payload="
_FIELDS: Final = 10


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a sender sent. `headers` by lower-case name."""

    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, headers: Mapping[str, str], body: bytes) -> Delivery:
        """With header names in any case."""
        return cls({name.lower(): value for name, value in headers.items()}, body)

    def header(self, name: str) -> str:
        """The value of a header, "" without it."""
        return self.headers.get(name, "")

    def raw(self, name: str) -> bytes:
        """As `header`, in bytes: a comparison of texts fails loudly on what is not ASCII."""
        return self.header(name).encode("utf-8", "surrogatepass")

    @property
    def is_form(self) -> bool:
        """True for the content type of forms."""
        return is_form(self.header("content-type"))

    def content(self) -> bytes:
        """The JSON text: the body, or of a form its field `payload`. Raises ValueError where a form has none."""
        return _payload_of_form(self.body) if self.is_form else self.body

    def payload(self) -> dict[str, Any]:
        """The JSON object. Raises ValueError, or RecursionError for one that is nested without end."""
        content_type = self.header("content-type")
        if content_type and not self.is_form and not is_json(content_type):
            raise ValueError("the content type is neither JSON nor a form")
        payload = json.loads(self.content().decode("utf-8"))
        if not isinstance(payload, dict):
            raise ValueError("the payload is not an object")  # noqa: TRY004 (all faults of shape are one kind)
        return payload


def is_form(content_type: str) -> bool:
    """True for the content type of forms, which is GitHub's default."""
    return _media_type(content_type) == _FORM


def is_json(content_type: str) -> bool:
    """True for JSON."""
    return _media_type(content_type) == "application/json"


def _payload_of_form(body: bytes) -> bytes:
    field = next((part for part in body.split(b"&", _FIELDS) if part.startswith(_FIELD)), None)
    if field is None or b"\n" in field or b"\r" in field:
        raise ValueError("the form has no field payload")
    # Gitea's signature is over what stands in the field, so strangers have it decoded, and Python's own way takes
    # seconds for some MiB. Quoted-printable is the same escape with another sign, decoded in C.
    escaped = field.removeprefix(_FIELD).replace(b"=", b"=3D").replace(b"%", b"=").replace(b"+", b" ")
    return binascii.a2b_qp(escaped)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
