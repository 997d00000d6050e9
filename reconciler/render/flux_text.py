"""Owns the replacing of variables in what kustomize has printed, object by object. Runs in the render child.

On the text, as Flux does it: what a variable brings may be a number or a whole mapping, once the text is read again.
"""

from __future__ import annotations

import re
from typing import Final

from reconciler.errors import RenderError
from reconciler.model.tree import Tree, child, dig
from reconciler.render.flux import Substitution
from reconciler.render.varsub import SubstitutionError, check_names, substitute
from reconciler.render.yaml_loader import load_documents

_KEY: Final = "kustomize.toolkit.fluxcd.io/substitute"
_OFF: Final = "disabled"
_BETWEEN: Final = re.compile(r"^---\n", re.MULTILINE)


def substituted(output: bytes, how: Substitution) -> bytes:
    """What kustomize printed, with variables replaced in each object that does not refuse it.

    Raises RenderError that names the object, never a value.
    """
    if not how.variables and not how.always:
        return output
    try:
        check_names(how.variables)
    except SubstitutionError as error:
        raise RenderError(str(error), where="spec.postBuild", code="SS3050") from None
    texts = _BETWEEN.split(output.decode("utf-8", "surrogateescape"))
    return "---\n".join(_object(text, how) for text in texts).encode("utf-8", "surrogateescape")


def _object(text: str, how: Substitution) -> str:
    if "${" not in text and "$$" not in text:
        return text
    tree = next((document.tree for document in load_documents(text.encode("utf-8", "replace"), "built")), None)
    metadata = child(tree, "metadata")
    if any(dig(metadata, place, _KEY) == _OFF for place in ("labels", "annotations")):
        return text
    try:
        return substitute(text, how.variables)
    except SubstitutionError as error:
        raise RenderError(
            str(error), where=_called(tree), hint=f"write $${{ for a dollar, or annotate {_KEY}: {_OFF}", code="SS3050"
        ) from None


def _called(tree: Tree) -> str:
    kind, name = child(tree, "kind"), dig(tree, "metadata", "name")
    return f"{kind}/{name}" if isinstance(kind, str) and isinstance(name, str) else "built"
