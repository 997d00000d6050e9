"""Owns the form of the published grants: one JSON file that the admission server reads. Must not read or write it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from reconciler.errors import StoreError
from reconciler.limits import GRANTS_FILE_BYTES, GRANTS_IN_FORCE
from reconciler.policy.grant import Grant

NAME: Final = "grants.json"
_FORMAT: Final = "1"


@dataclass(frozen=True, slots=True)
class _Published:
    format: str
    grants: tuple[Grant, ...]


def dump(grants: Iterable[Grant]) -> bytes:
    """The file for these grants."""
    return msgspec.json.encode(_Published(_FORMAT, tuple(grants)))


def load(data: bytes) -> tuple[Grant, ...]:
    """The grants of a file. Raises StoreError for one that is no such file, or holds too much."""
    if len(data) > GRANTS_FILE_BYTES:
        raise StoreError(f"the published grants are over {GRANTS_FILE_BYTES} bytes")
    try:
        found = msgspec.json.decode(data, type=_Published)
    except msgspec.MsgspecError as error:
        raise StoreError(f"not published grants: {error}") from None
    if found.format != _FORMAT:
        raise StoreError("the published grants are of another format", hint="let the reconciler write them anew")
    if len(found.grants) > GRANTS_IN_FORCE:
        raise StoreError(f"{len(found.grants)} grants are published, at most {GRANTS_IN_FORCE} may hold at a time")
    return found.grants
