"""Owns what tells that an object, or what is wanted of it, is another one. Pure; must not compare by meaning."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from reconciler.canonical.volatile import strip
from reconciler.model.objects import Provenance
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree, dig
from reconciler.report.standing import watched
from reconciler.snapshot.model import Entry, MemorySnapshot

_BYTES: Final = 16
_NOWHERE: Final = Provenance()


def digest(tree: dict[str, Tree], key: bytes) -> bytes:
    """16 bytes that change with all that a comparison reads of a live object: neither status nor times.

    Keyed, for values of Secrets are among it.
    """
    entries = dig(tree, "metadata", "managedFields")
    held = [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    # Whoever writes the status writes its time here, again and again.
    holders = [[one.get(name) for name in _HOLDER] for one in held if one.get("subresource") != "status"]
    said = json.dumps([strip(tree), holders, dig(tree, "metadata", "uid") or ""], sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=_BYTES, key=key[:64]).digest()


_HOLDER: Final = ("manager", "operation", "subresource", "fieldsV1")


def differing(before: MemorySnapshot, after: MemorySnapshot) -> Iterator[ObjectRef]:
    """Of what either guards, whatever is to be compared anew: where it is declared, and by whom, does not count."""
    old = {entry.ref: entry for entry in before.entries}
    for entry in after.entries:
        was = old.pop(entry.ref, None)
        if was is None or not _is_same(was, entry):
            yield entry.ref
    yield from old


def _is_same(was: Entry, now: Entry) -> bool:
    if was is now:
        return True
    if was.policy != now.policy and watched(was.policy) != watched(now.policy):
        return False
    return was.object is now.object or _said(was) == _said(now)


def _said(entry: Entry) -> object:
    return replace(entry.object, provenance=_NOWHERE)
