"""Owns reading the packaged kinds and types of Kubernetes; must not interpret them (`schema.builtin` does)."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

from reconciler.errors import StoreError
from reconciler.schema.builtin import Builtin

_DATA: Final = files("reconciler.schema") / "data"


@cache
def load_builtin() -> Builtin:
    """The kinds, types and defaults of the Kubernetes version that this release was built for; read once a process.

    Raises `StoreError` where the installation lacks the files.
    """
    return Builtin(_read("kinds.json"), _read("types.json"), _read("defaults.json"))


def _read(name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((_DATA / name).read_text("utf-8"))
    except (OSError, ValueError):
        raise StoreError(
            f"the packaged schema {name} is missing or damaged", where="reconciler/schema/data", hint="install again"
        ) from None
    return content
