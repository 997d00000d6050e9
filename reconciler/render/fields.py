"""Owns taking typed fields out of a mapping of somebody's document, one clear error a field. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from reconciler.errors import UsageError

T = TypeVar("T")


class Fields:
    """The fields of one mapping, each asked for by name; null is absent. `where` is what errors call the mapping."""

    def __init__(self, mapping: Any, where: str) -> None:
        """Raises UsageError where it is no mapping."""
        if not isinstance(mapping, Mapping):
            raise UsageError("must be a mapping", where=where)
        self._mapping = mapping
        self._where = where
        self._asked: dict[str, None] = {}

    def any(self, key: str) -> Any:
        """Whatever stands there, None if nothing does."""
        self._asked[key] = None
        return self._mapping.get(key)

    def text(self, key: str) -> str:
        """A string, "" if there is none."""
        return self._typed(key, str, "a string")

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        return self._typed(key, bool, "true or false") if self.any(key) is not None else default

    def mapping(self, key: str) -> dict[str, Any]:
        """A mapping, empty if there is none."""
        return self._typed(key, dict[str, Any], "a mapping")

    def list(self, key: str) -> list[Any]:
        """A list, empty if there is none."""
        return self._typed(key, list[Any], "a list")

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings that are not empty."""
        values = self.list(key)
        if not all(isinstance(value, str) and value for value in values):
            raise self.wrong(key, "must be a list of strings")
        return tuple(values)

    def mappings(self, key: str) -> tuple[Mapping[str, Any], ...]:
        """A list of mappings."""
        values = self.list(key)
        if not all(isinstance(value, Mapping) for value in values):
            raise self.wrong(key, "must be a list of mappings")
        return tuple(values)

    def texts(self, key: str) -> dict[str, str]:
        """A mapping with strings as values."""
        values = self.mapping(key)
        if not all(isinstance(value, str) for value in values.values()):
            raise self.wrong(key, "must be a mapping of strings")
        return values

    def at(self, key: str) -> str:
        """What errors call a field."""
        return f"{self._where}.{key}"

    def wrong(self, key: str, message: str) -> UsageError:
        """The error about a field."""
        return UsageError(message, where=self.at(key))

    def unasked(self) -> tuple[str, ...]:
        """The fields that nobody has asked for."""
        return tuple(key for key in self._mapping if key not in self._asked)

    def done(self) -> None:
        """Raises UsageError for a field that nobody has asked for: one that is ignored promises what nobody keeps."""
        if unknown := self.unasked():
            known = ", ".join(self._asked)
            raise UsageError(f"unknown field {unknown[0]!r}", where=self._where, hint=f"known: {known}")

    def _typed(self, key: str, kind: Callable[[], T], called: str) -> T:
        value, empty = self.any(key), kind()
        if value is None:
            return empty
        if not isinstance(value, type(empty)):
            raise self.wrong(key, f"must be {called}")
        return value
