"""Owns the words that schemas are made of: texts, lists, mappings, rules, durations. Must not know a kind of ours."""

from __future__ import annotations

from typing import Any, Final

from reconciler.limits import OBJECT_ENTRIES, OBJECT_NAME_CHARS, OBJECT_TEXT_CHARS
from reconciler.source import fields as source_fields

Schema = dict[str, Any]

LABEL_CHARS: Final = 63
NO_NUL: Final = r"^[^\x00]*$"
_DURATION: Final = r"^([0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s)$"


def text(*, chars: int = OBJECT_TEXT_CHARS, least: int = 0, says: str = "", **more: Any) -> Schema:
    """A string."""
    return said({"type": "string", **({"minLength": least} if least else {}), "maxLength": chars, **more}, says)


def flag(says: str = "") -> Schema:
    """True or false."""
    return said({"type": "boolean"}, says)


def several(items: Schema, *, most: int = OBJECT_ENTRIES, least: int = 0, says: str = "", **more: Any) -> Schema:
    """A list."""
    return said(
        {"type": "array", **({"minItems": least} if least else {}), "maxItems": most, "items": items, **more}, says
    )


def mapping(properties: dict[str, Schema], *, required: tuple[str, ...] = (), says: str = "", **more: Any) -> Schema:
    """A mapping with these keys."""
    wanted = {"required": list(required)} if required else {}
    return said({"type": "object", **wanted, **more, "properties": properties}, says)


def pairs(values: Schema, *, most: int = OBJECT_ENTRIES, says: str = "", **more: Any) -> Schema:
    """A mapping with any keys."""
    return said({"type": "object", "maxProperties": most, "additionalProperties": values, **more}, says)


def rules(*found: tuple[str, str]) -> Schema:
    """CEL rules with their messages."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in found]}


def choice(*values: str, says: str = "") -> Schema:
    """One of these words."""
    return said({"type": "string", "enum": list(values)}, says)


def said(schema: Schema, says: str) -> Schema:
    """The schema with what it is for."""
    return {"description": says, **schema} if says else schema


def duration(says: str) -> Schema:
    """Whole seconds, or text such as 1h30m."""
    positive = "type(self) == string ? self.matches('[1-9]') : self > 0"
    return {
        "description": says,
        "x-kubernetes-int-or-string": True,
        "pattern": _DURATION,
        **rules((positive, "a duration is more than nothing")),
    }


def time(says: str) -> Schema:
    """An instant."""
    return {"description": says, "type": "string", "format": "date-time", "maxLength": 40}


def secret(says: str) -> Schema:
    """A Secret by its name."""
    form = f"^{source_fields.SECRET_NAME.pattern}$"
    return mapping({"name": text(chars=OBJECT_NAME_CHARS, pattern=form)}, required=("name",), says=says)
