"""Owns reading a document that stands inside a string of an object: YAML as its readers take it, JSON too.

It runs where objects are compared, not in the render child: the texts are short, and the loader never recurses.
"""

from __future__ import annotations

from reconciler.embedded.parser import check_size, checked, read_json
from reconciler.errors import RenderError
from reconciler.model.tree import Tree
from reconciler.render.yaml_loader import load_documents

_NAME = "document"
_JSON = ("{", "[")


def load_embedded(text: str) -> Tree:
    """The one document of `text`; None where there is none. Raises ValueError with one line.

    A key that stands twice in one mapping is refused: readers differ in which one counts.
    """
    if text.lstrip()[:1] in _JSON:
        try:
            return read_json(text)
        except ValueError:
            pass  # flow YAML looks alike
    check_size(text)
    try:
        found = list(load_documents(text.encode(), _NAME))
    except RenderError as error:
        line = error.where.rpartition(":")[2]
        raise ValueError(f"{error.message} (line {line})" if line.isdecimal() else error.message) from None
    except UnicodeEncodeError:
        raise ValueError("no text that can be encoded") from None
    if len(found) > 1:
        raise ValueError("more than one document")
    if any(one.duplicates for one in found):
        raise ValueError("a key stands twice in one mapping")
    return checked(found[0].tree) if found else None
