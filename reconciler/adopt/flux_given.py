"""Owns what Flux takes from ConfigMaps and Secrets: the texts, which of them are secret, what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.adopt.flux_objects import FluxObject, Lookup
from reconciler.errors import UsageError
from reconciler.render.fields import Fields

_SECRET: Final = "Secret"  # noqa: S105 - a kind
_KINDS: Final = ("ConfigMap", _SECRET)
_SHORTEST_SECRET: Final = 4


class Given:
    """What one object has been given by the cluster.

    `secrets` are texts that no message may repeat; `missing` names what is not there: then Flux applies nothing new,
    and what was rendered before holds.
    """

    def __init__(self, one: FluxObject, lookup: Lookup) -> None:
        self._one = one
        self._lookup = lookup
        self._known: dict[tuple[str, str], Mapping[str, bytes] | None] = {}
        self.secrets: list[str] = []
        self.missing: list[str] = []

    def keys(self, reference: Fields, where: str) -> Mapping[str, bytes]:
        """All keys of what `reference` names; empty where it is absent, which is noted unless it is optional.

        Raises UsageError for other kinds.
        """
        kind, name, optional = reference.text("kind"), reference.text("name"), reference.flag("optional")
        if kind not in _KINDS:
            raise UsageError(f"{kind!r} is none of {', '.join(_KINDS)}", where=f"{where}.kind")
        if (kind, name) not in self._known:
            self._known[kind, name] = self._lookup(kind, self._one.namespace, name)
        found = self._known[kind, name]
        if found is None and not optional:
            self.missing.append(f"{kind} {self._one.namespace}/{name}")
        return found or {}

    def key(self, reference: Fields, where: str) -> str | None:
        """The text under the reference's `valuesKey`; None where it is absent, which is noted unless optional."""
        kind, name, key = reference.text("kind"), reference.text("name"), reference.text("valuesKey") or "values.yaml"
        found, missing = self.keys(reference, where), len(self.missing)
        if key in found:
            return self.text(found[key], reference)
        if not reference.flag("optional") and missing == len(self.missing) and self._known[kind, name] is not None:
            self.missing.append(f"key {key} in {kind} {self._one.namespace}/{name}")
        return None

    def text(self, data: bytes, reference: Fields) -> str:
        """A value as text; that of a Secret is remembered, whole and by its lines."""
        text = data.decode("utf-8", "replace")
        if reference.text("kind") == _SECRET:
            self.secrets += [piece for piece in dict.fromkeys(_pieces(text)) if piece not in self.secrets]
        return text


def _pieces(text: str) -> Iterator[str]:
    """A text, its lines and what stands behind a key there: any of them may be what a message repeats."""
    lines = text.splitlines()
    bare = (piece.strip().strip("'\"") for piece in (text, *lines, *(line.partition(": ")[2] for line in lines)))
    return (piece for piece in (text, text.strip("'\""), *bare) if len(piece) >= _SHORTEST_SECRET)
