"""Owns what a remote says its refs are, and which of them a source follows. Pure; must not ask a remote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.errors import SourceError
from reconciler.source.backend import Head
from reconciler.source.semver import parse_constraint
from reconciler.source.spec import GitSource

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TAGS: Final = "refs/tags/"
_PEELED: Final = "^{}"


@dataclass(frozen=True, slots=True)
class Refs:
    """Ids by full name, what tags lead to as `<name>^{}`, and the branch that HEAD is ("" where it does not say)."""

    ids: Mapping[str, str] = field(default_factory=dict)
    head: str = ""

    def head_of(self, source: GitSource, where: str) -> Head:
        """What the source's ref names. Raises SourceError SS2003: there is no such ref."""
        full = self._full(source)
        commit = self.ids.get(full + _PEELED) or self.ids.get(full, "")  # an annotated tag is peeled to its commit
        if not commit:
            if source.ref.kind == "semver":
                message = f"the remote has no tag of a version in {source.ref.value}"
            else:
                message = f"the remote has no {full}"
            raise SourceError(message, where=where, hint="check spec.ref", code="SS2003")
        shown = self.head if full == "HEAD" and self.head else full
        return Head(commit, shown, self.ids[full] if full + _PEELED in self.ids else "")

    def _full(self, source: GitSource) -> str:
        if source.ref.kind != "semver":
            return next((full for full in source.ref.candidates if full in self.ids), source.ref.full)
        tags = (name.removeprefix(_TAGS) for name in self.ids if name.startswith(_TAGS) and not name.endswith(_PEELED))
        return _TAGS + parse_constraint(source.ref.value).highest(tags)


def patterns(source: GitSource) -> frozenset[str]:
    """What to ask a remote for on behalf of a source."""
    found = source.ref.candidates
    return frozenset(found if found[0].endswith("*") else (*found, *(full + _PEELED for full in found)))


def parse_refs(output: bytes) -> Refs:
    """The answer of `git ls-remote --symref`."""
    ids, head = {}, ""
    for row in output.decode("utf-8", "replace").splitlines():
        value, _, name = row.partition("\t")
        if value.startswith("ref: ") and name == "HEAD":
            head = value.removeprefix("ref: ")
        elif _COMMIT.fullmatch(value):
            ids[name] = value
    return Refs(ids, head)
