"""Owns readers as they stand in files: their documents, and the tokens of the moment at which the server starts."""

from __future__ import annotations

from pathlib import Path

from reconciler.errors import UsageError
from setscrew.receivers import documents_in, read_place
from webhook.api.readers import ReaderSpec, checked_token, parse_readers, where_of


def load_readers(path: Path | None) -> tuple[ReaderSpec, ...]:
    """Readers of a YAML file or all YAML files in a directory; their tokens can be read. Raises UsageError."""
    specs = parse_readers(documents_in(path))
    reader_tokens(specs)
    return specs


def reader_tokens(specs: tuple[ReaderSpec, ...]) -> dict[bytes, frozenset[str]]:
    """The namespaces that each token is for. Raises UsageError, also where two readers have one token."""
    found: dict[bytes, frozenset[str]] = {}
    for spec in specs:
        token = checked_token(read_place(spec.token, where_of(spec.name)), spec.name)
        if token in found:
            raise UsageError("another reader has the same token", where=where_of(spec.name))
        found[token] = spec.namespaces
    return found
