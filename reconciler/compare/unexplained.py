"""Owns one question: what does a server's answer hold that neither Git nor a known default explains? No verdict."""

from __future__ import annotations

from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import compare
from reconciler.model.tree import Tree


def unexplained(offline: CanonicalObject, answer: Tree, secret_key: bytes) -> tuple[str, ...]:
    """Pointers into `answer`, the server's answer to a dry-run of the object behind `offline`; (): all is explained.

    Undeclared fields that may be defaults nobody knows of are among them: whoever asks does so for want of trust.
    """
    compared = compare(offline, live_form(answer, secret_key))
    return tuple(change.path for change in (*compared.changes, *compared.undecided))
