"""Owns the parser of documents inside strings that an admission worker judges with. Must not judge.

The one place of the admission side that may reach a YAML library, and only at the first guarded write that changes the
text of such a document: docs/decisions/0016.
"""

from __future__ import annotations

import asyncio

from reconciler.embedded.parser import more_nodes_than, read_json
from reconciler.limits import EMBEDDED_LOOP_BYTES
from reconciler.model.tree import Tree

_JSON = ("{", "[")
# One of these stands before or after each value. YAML takes a millisecond for some hundred of them.
_MARKS = ",:[{\n"
_LOOP_MARKS = EMBEDDED_LOOP_BYTES // 16


class TooBigForLoopError(Exception):
    """What must be read is too big for the loop: judge the review in a thread."""


def parse(text: str) -> Tree:
    """As `reconciler.render.embedded_loader.load_embedded`, which it calls for what is no JSON.

    Raises TooBigForLoopError on a loop, for what would hold it up.
    """
    waits = on_loop()
    if waits and (len(text) > EMBEDDED_LOOP_BYTES or sum(map(text.count, _MARKS)) > _LOOP_MARKS):
        raise TooBigForLoopError
    tree = _read(text)
    # Anchors make much of a short text.
    if waits and more_nodes_than(tree, EMBEDDED_LOOP_BYTES // 4):
        raise TooBigForLoopError
    return tree


def _read(text: str) -> Tree:
    if text.lstrip()[:1] in _JSON:
        try:
            return read_json(text)
        except ValueError:
            pass  # flow YAML looks alike
    from reconciler.render.embedded_loader import load_embedded

    return load_embedded(text)


def on_loop() -> bool:
    """True where other reviews wait for what is done now."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
