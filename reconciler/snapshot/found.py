"""Owns the entry that a look-up in a file has found: its form is read when somebody asks for it. Must not open files.

Most writes change nothing that Git declares. To say so, who guards the object and what Git declares of its metadata is
enough: of the row only these columns are read then, whatever its size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from reconciler.canonical.form import CanonicalObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from reconciler.policy.model import Policy
from reconciler.snapshot.model import Entry


class Head(NamedTuple):
    """What is known of an entry without its form: its properties of these names."""

    ref: ObjectRef
    version: str
    source: str
    metadata: Tree
    policy: Policy
    adopted: bool


class FoundEntry(Entry):
    """An entry of a file. `read` gives its form; it is called once at most."""

    __slots__ = ("_form", "_read", "metadata", "ref", "source", "version")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, head: Head, read: Callable[[], CanonicalObject]) -> None:
        self._read: Callable[[], CanonicalObject]
        self._form: CanonicalObject | None
        for name, value in zip(Head._fields, head, strict=True):
            object.__setattr__(self, name, value)  # as frozen dataclasses do themselves
        object.__setattr__(self, "_read", read)
        object.__setattr__(self, "_form", None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return (self.object, self.policy, self.adopted) == (other.object, other.policy, other.adopted)

    @property
    def object(self) -> CanonicalObject:
        """The canonical form, read from the rest of the row."""
        form = self._form
        if form is None:
            form = self._read()
            object.__setattr__(self, "_form", form)
        return form
