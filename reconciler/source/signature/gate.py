"""Owns holding a source's revisions to its `spec.verify`: keys by way of its Secret, depth by way of its remote.

Must not know what is done with a revision that passes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reconciler.errors import SourceError, ToolMissingError, VerifyError
from reconciler.source.backend import Backend, Head, Revision
from reconciler.source.secret import Secrets
from reconciler.source.signature.checker import Signer
from reconciler.source.signature.modes import Deepen, Revised, Verified, verify
from reconciler.source.spec import GitSource, VerifyMode

_UNVERIFIED: Final = Verified(Signer("", ""))


def check(source: GitSource, head: Head, revision: Revision, before: str, git: Backend, secrets: Secrets) -> Verified:
    """Who signed what was fetched, nobody where the source asks for no signature. `before` was accepted last, or "".

    Raises VerifyError where it may not be enforced, SourceError where the remote cannot be read.
    """
    if not source.verify.mode:
        return _UNVERIFIED

    def deepen(depth: int) -> None:
        git.fetch(source, head, last=before, depth=depth)

    revised = Revised(Path(revision.mirror), revision.commit, head.ref, revision.tag or revision.commit, before)
    return _verified(source, revised, source.verify.mode, secrets, deepen)


def check_passed(source: GitSource, revision: Revision, secrets: Secrets) -> None:
    """Raises VerifyError for a commit between two accepted ones that nobody has vouched for by itself.

    A signed commit vouches for its own state, not for those before it, and a signed tag for one commit alone.
    """
    if source.verify.mode == "Tag":
        message = "only tagged commits may be looked at"
        raise VerifyError(message, where=f"commit {revision.commit[:12]}", code="SS2107")
    if source.verify.mode:
        revised = Revised(Path(revision.mirror), revision.commit, revision.ref, revision.commit)
        _verified(source, revised, "HEAD", secrets, _never)


def _verified(source: GitSource, revised: Revised, mode: VerifyMode, secrets: Secrets, deepen: Deepen) -> Verified:
    where, name = f"source {source.name}", source.verify.keys
    if name is None:
        raise VerifyError("names no keys that may sign", where=where, hint="set spec.verify.secretRef", code="SS2110")
    try:
        secret = secrets(name)
    except SourceError as error:
        raise VerifyError(error.message, where=where, hint=error.hint, code="SS2110") from error
    try:
        return verify(revised, mode, secret, secret_name=str(name), deepen=deepen)
    except ToolMissingError as error:
        raise VerifyError(error.message, where=where, hint=error.hint, code="SS2111") from error


def _never(_: int) -> None:
    """One commit needs no depth."""
