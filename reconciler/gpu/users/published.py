"""Owns the form of the published census: one JSON file that admission workers read. Must not read or write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from reconciler.errors import StoreError
from reconciler.gpu.users.model import Census, ClassName, Users
from reconciler.limits import CENSUS_FILE_BYTES
from reconciler.model.tree import Tree

FILE: Final = "gpu-census.json"
_FORMAT: Final = "1"


@dataclass(frozen=True, slots=True)
class _Published:
    format: str
    at: str
    classes: tuple[tuple[ClassName, Users], ...]
    unseen: dict[str, str]
    neighbours: tuple[Tree, ...]


def encode(census: Census) -> bytes:
    """The file of a census, without what JSON cannot say. Raises StoreError for one that nobody would read."""
    classes = tuple(filter(_sayable, census.classes.items()))
    neighbours = tuple(filter(_sayable, census.neighbours))
    data = msgspec.json.encode(_Published(_FORMAT, census.at, classes, dict(census.unseen), neighbours))
    _bounded(data)
    return data


def decode(data: bytes) -> Census:
    """The census of a file. Raises StoreError for one that is no such file, or too large."""
    _bounded(data)
    try:
        found = msgspec.json.decode(data, type=_Published)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"not a published census of GPU users: {error}") from None
    if found.format != _FORMAT:
        raise StoreError("the published census is of another format", hint="let the reconciler write it anew")
    return Census(found.at, dict(found.classes), found.unseen, found.neighbours)


def _sayable(value: object) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
    return True


def _bounded(data: bytes) -> None:
    if len(data) > CENSUS_FILE_BYTES:
        raise StoreError(f"the published census of GPU users is over {CENSUS_FILE_BYTES} bytes")
