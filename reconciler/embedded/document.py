"""Owns which strings of an object hold a document that we know. Must not compare documents.

Recognised by content, in ConfigMaps only: of a Secret there is nothing to read but keyed hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.embedded.device_plugin import DEVICE_PLUGIN
from reconciler.embedded.format import Format
from reconciler.embedded.mig_parted import MIG_PARTED
from reconciler.embedded.nvidia import CLIENTS, METRICS, VGPU
from reconciler.embedded.others import AMD, HAMI, KUEUE
from reconciler.embedded.parser import Parser
from reconciler.model.tree import Tree, child

FORMATS: Final[Mapping[str, Format]] = {
    one.name: one for one in (MIG_PARTED, DEVICE_PLUGIN, VGPU, CLIENTS, KUEUE, HAMI, AMD, METRICS)
}
_FIELD: Final = "data"
_ENDINGS: Final = (".yaml", ".yml", ".json", ".csv")
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A document that Git declares inside a string: the name of its format, and its tree as it is written."""

    format: str
    tree: Tree


def recognised(tree: Tree, formats: Iterable[Format] = FORMATS.values()) -> Format | None:
    """The format of a document, or None."""
    return next((one for one in formats if one.recognises(tree)), None)


def documents_in(tree: Tree, kind: str, parse: Parser) -> tuple[dict[Place, Document], tuple[str, ...]]:
    """The documents in an object of `kind` (`ConfigMap`), by place; and remarks on texts that only look like one."""
    found: dict[Place, Document] = {}
    remarks: list[str] = []
    data = child(tree, _FIELD) if kind == "ConfigMap" else None
    for key, text in data.items() if isinstance(data, dict) else ():
        likely = [one for one in FORMATS.values() if isinstance(text, str) and any(word in text for word in one.words)]
        if not likely:
            continue
        try:
            document = _read(text, likely, parse)
        except ValueError as error:
            if key.endswith(_ENDINGS):
                said = f"may be {likely[0].title}, but is compared as text{likely[0].flag}: {error}"
                remarks.append(f"{_FIELD}[{key}]: {said}")
            continue
        if document is not None:
            found[_FIELD, key] = document
    return found, tuple(remarks)


def _read(text: str, likely: Sequence[Format], parse: Parser) -> Document | None:
    """The document by the first format that it is of. Raises ValueError where nobody can read the text."""
    errors, readers = list[ValueError](), dict.fromkeys(one.reader or parse for one in likely)
    for reader in readers:
        try:
            tree = reader(text)
        except ValueError as error:
            errors.append(error)
            continue
        form = recognised(tree, (one for one in likely if (one.reader or parse) is reader))
        if form is not None:
            return Document(form.name, tree)
    if len(errors) == len(readers):
        raise errors[0]
    return None
