"""Owns what must be signed in each mode, and asking for it. Must not know where keys, mirrors and remotes are kept.

HEAD: the commit. Tag: the annotated tag. TagAndHEAD: both. strict: every commit that was not accepted before, on all
sides of its merges; at first sight the commit alone, since nothing was accepted yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler import limits
from reconciler.errors import SourceError, VerifyError
from reconciler.source.signature import signed
from reconciler.source.signature.checker import Checker, Signer, checker
from reconciler.source.signature.history import Fresh, fresh
from reconciler.source.signature.keys import load_keys
from reconciler.source.signature.stored import read_objects
from reconciler.source.spec import VerifyMode

_TAGS: Final = "refs/tags/"

Deepen = Callable[[int], None]
"""Fetches the source's ref again, so many commits deep. Raises SourceError."""


@dataclass(frozen=True, slots=True)
class Revised:
    """What has been fetched: a commit, by a ref (in full: `refs/tags/v1`) that names `tip`, a tag or the commit.

    `before` is the commit that was accepted last, "" where there was none.
    """

    mirror: Path
    commit: str
    ref: str
    tip: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Verified:
    """Who signed a revision (the commit, or its tag where a mode asks for it), and remarks on the keys."""

    signer: Signer
    notes: tuple[str, ...] = ()


def verify(
    revised: Revised, mode: VerifyMode, secret: Mapping[str, bytes], *, secret_name: str, deepen: Deepen
) -> Verified:
    """Hold a revision to its mode and the keys of a Secret. `mode` is not "".

    Raises VerifyError, SourceError where the mirror or the remote cannot be read, ToolMissingError without gpg.
    """
    with checker(load_keys(secret, secret_name), secret_name) as found:
        signer = _tag(revised, found) if mode in {"Tag", "TagAndHEAD"} else None
        if mode == "strict" and revised.before:
            _all_fresh(revised, found, deepen)
        if mode != "Tag":
            head = _commit(revised.mirror, revised.commit, found)
            signer = signer or head
        if signer is None:
            raise VerifyError(f"there is no mode of verification called {mode!r}")
        return Verified(signer, found.notes)


def _commit(mirror: Path, commit: str, found: Checker) -> Signer:
    kind, raw = next(read_objects(mirror, [commit]))
    if kind != "commit":
        raise signed.malformed(f"{kind} {commit[:12]}", "it is no commit")
    return found.signer(signed.commit(commit, raw))


def _tag(revised: Revised, found: Checker) -> Signer:
    where = revised.ref
    if not where.startswith(_TAGS):
        hint = "set spec.ref.tag or spec.ref.semver, or spec.verify.mode: HEAD"
        raise VerifyError("is no tag, and signed tags are asked for", where=where, hint=hint, code="SS2107")
    kind, raw = next(read_objects(revised.mirror, [revised.tip]))
    if kind != "tag":
        hint = "make it with `git tag --sign`"
        raise VerifyError("is a lightweight tag, which cannot be signed", where=where, hint=hint, code="SS2107")
    tag = signed.tag(revised.tip, raw)
    if tag.name != where.removeprefix(_TAGS):
        hint = "somebody pushed a tag under another name than it was signed for"
        raise VerifyError(f"the tag calls itself {tag.name!r}", where=where, hint=hint, code="SS2108")
    if (tag.target_kind, tag.target) != ("commit", revised.commit):
        hint = "tag the commit itself"
        raise VerifyError(f"is a tag of a {tag.target_kind}, not of a commit", where=where, hint=hint, code="SS2108")
    return found.signer(tag.signed)


def _all_fresh(revised: Revised, found: Checker, deepen: Deepen) -> None:
    """Each commit since the last accepted one is signed; the mirror is deepened as far as that cannot be told yet."""
    good: set[str] = set()
    for step in (*limits.HISTORY_STEPS, None):
        brought = _brought(revised)
        if brought is not None and brought.is_whole:
            error = _first_bad(revised.mirror, brought, found, good)
            if error is None:
                return
            if brought.is_sure or step is None:
                raise error
        if step is not None:
            deepen(step)
    hint = "to accept it once, set spec.verify.mode: HEAD for a moment"
    raise VerifyError(
        f"how it came from {revised.before[:12]} cannot be followed",
        where=f"commit {revised.commit[:12]}",
        hint=hint,
        code="SS2109",
    )


def _brought(revised: Revised) -> Fresh | None:
    """What the revision brings; None where git does not find its way through the mirror."""
    try:
        return fresh(revised.mirror, revised.commit, revised.before)
    except SourceError:
        return None


def _first_bad(mirror: Path, brought: Fresh, found: Checker, good: set[str]) -> VerifyError | None:
    """Why the newest commit that may not be accepted may not; `good` is what was found good, and grows."""
    todo = [one for one in brought.commits if one not in good]
    if len(todo) > limits.STRICT_COMMITS:
        hint = "to accept them, set spec.verify.mode: HEAD for a moment"
        message = f"brings {len(todo)} commits at once, more than {limits.STRICT_COMMITS}"
        raise VerifyError(message, where=f"commit {brought.commits[0][:12]}", hint=hint, code="SS2109")
    for commit, (_, raw) in zip(todo, read_objects(mirror, todo), strict=True):
        try:
            found.signer(signed.commit(commit, raw))
        except VerifyError as error:
            return error
        good.add(commit)
    return None
