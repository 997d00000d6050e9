"""Owns what a schema of values may refer to: itself, and the well-known schemas of schemas. Pure.

Helm fetches any other address, http or a file of this machine, while it checks values.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from reconciler.errors import RenderError

NAME: Final = "values.schema.json"
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
# Helm has these built in.
_WELL_KNOWN: Final = re.compile(r"https?://json-schema\.org/((draft-0[467]|draft/(2019-09|2020-12))/)?schema#?")
_HINT: Final = "copy it into $defs, or set spec.render.skipSchemaValidation"


def check_schema(data: bytes, name: str) -> None:
    """Raises RenderError where the schema is no JSON, or refers to anything outside it."""
    try:
        json.loads(data.decode(), object_pairs_hook=lambda pairs: _pairs(pairs, name))
    except (ValueError, RecursionError):
        raise RenderError("a schema of values must be JSON", where=name, code="SS3001") from None


def _pairs(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    """Looks at each pair, also at one that a later one of the same name hides."""
    for key, value in pairs:
        outside = isinstance(value, str) and not value.startswith("#") and not _WELL_KNOWN.fullmatch(value)
        if outside and (key in _REFERENCES or key == "$schema"):
            raise RenderError(f"the schema refers to {value}", where=name, hint=_HINT, code="SS3006")
    return dict(pairs)
