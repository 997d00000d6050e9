"""Owns the comparison of documents inside strings: what differs in a string is looked for in what it means.

The walk has found two strings that differ; here both are read, and walked in their turn. Must not know who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.canonical.form import CanonicalObject
from reconciler.compare.equal import Reading, same
from reconciler.compare.place import UNKNOWN, Finding, Inside, Place, written_pointer
from reconciler.compare.walk import walk
from reconciler.embedded.document import FORMATS, Document
from reconciler.embedded.format import Format, nulls_read
from reconciler.embedded.parser import Parser
from reconciler.model.tree import ABSENT, Tree, dig


def opened(
    found: Iterable[Finding], documents: Mapping[tuple[str, ...], Document], parse: Parser, *, compares: bool
) -> Iterator[Finding]:
    """The findings, those of strings that hold a document replaced by the ones in it, which may be none.

    A string that `parse` cannot read stays one value, with a note. `compares` as in `Reading`.
    """
    for one in found:
        document = documents.get(one.path)  # type: ignore[arg-type] # keys and indices are in no path of these
        strings = isinstance(one.want, str) and isinstance(one.now, str)
        if document is None or one.verdict != "changed" or not strings:
            yield one
        else:
            yield from _inside(one, document, parse, compares)


def _inside(one: Finding, document: Document, parse: Parser, compares: bool) -> Iterator[Finding]:
    form = FORMATS[document.format]
    try:
        written = (form.reader or parse)(one.now)
    except ValueError as error:
        yield one._replace(note=f"cannot be read as {form.title}, so it is compared as text{form.flag}: {error}")
        return
    want, now = form.normal(document.tree), form.normal(written)
    was = _before(one, want, form, parse)
    if same(was, now):
        return
    place = Place((), form.types, reading=Reading(offline=False, semantics=form.semantics, compares=compares))
    for inner in walk(place, want, was, now):
        if not inner.path:
            yield one
            return
        spelled = (want, document.tree) if inner.now is ABSENT else (now, written)
        yield inner._replace(
            path=one.path,
            want=nulls_read(inner.want),
            now=nulls_read(inner.now),
            filled=_is_filled(inner, want, document.tree),
            inside=Inside(inner.path, *spelled, one.want, form.closed),
        )


def _before(one: Finding, want: Tree, form: Format, parse: Parser) -> Tree:
    """The document that was there; UNKNOWN where nobody could read it, so that all of the new one is judged."""
    if one.was is UNKNOWN or not isinstance(one.was, str):
        return UNKNOWN
    if one.was == one.want:
        return want
    try:
        return form.normal((form.reader or parse)(one.was))
    except ValueError:
        return UNKNOWN


def _is_filled(inner: Finding, want: Tree, written: Tree) -> bool:
    """True for a default of the document's reader, which Git does not write."""
    return inner.want is not ABSENT and not written_pointer(inner.path, want, written)[1]


def respelled(tree: Tree, canonical: CanonicalObject, parse: Parser) -> Tree:
    """`tree`, content of the object, with each string as Git spells it that means the same as Git's document."""
    for (field, key), document in canonical.documents.items():
        text, wanted = dig(tree, field, key), dig(canonical.want, field, key)
        if isinstance(text, str) and text != wanted and _means_the_same(text, document, parse):
            tree = {**tree, field: {**tree[field], key: wanted}}
    return tree


def _means_the_same(text: str, document: Document, parse: Parser) -> bool:
    whole = Finding((), "changed", "", UNKNOWN, text)
    return not any(_inside(whole, document, parse, compares=False))
