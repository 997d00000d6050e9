"""Owns fetching: from a GitSource to one commit in a bare mirror. Never checks out, never trusts a push payload."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from reconciler import limits
from reconciler.errors import SourceError
from reconciler.source.command import run
from reconciler.source.objects import describe, first_parents
from reconciler.source.spec import GitSource

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LS_REMOTE_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit of a source: its id, the ref it was found by, and what people know it by.

    `mirror` is the bare repository that holds it ("" for a plain directory, whose digest then stands in `commit`).
    `log` is the commit and what its branch was before, newest first, with subjects, as far as the mirror goes.
    """

    source: str
    commit: str
    ref: str
    subject: str = ""
    author: str = ""
    mirror: str = ""
    log: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """`main@sha1:<40 hex>` as Flux writes it, `sha1:<40 hex>` for a pinned commit, `dir@sha256:<64 hex>`."""
        digest = f"{'sha1' if len(self.commit) == 40 else 'sha256'}:{self.commit}"
        return digest if self.ref == self.commit else f"{self.ref}@{digest}"


def remote_head(source: GitSource, *, allow_local: bool = False) -> str:
    """The commit that the configured ref names at the remote now, by `ls-remote` alone; the id itself for a commit.

    Raises SourceError: unreachable, refused, or no such ref.
    """
    where = _check(source, allow_local=allow_local)
    if source.ref.kind == "commit":
        return source.ref.value
    full = source.ref.full
    arguments = ["ls-remote", "--quiet", "--end-of-options", source.url, full, f"{full}^{{}}"]
    output = run(Path("/"), arguments, allow_local=allow_local, seconds=_LS_REMOTE_SECONDS, where=where).decode(
        "utf-8", "replace"
    )
    rows = (row.partition("\t") for row in output.splitlines())
    found = {name: commit for commit, _, name in rows}
    commit = found.get(f"{full}^{{}}") or found.get(full)  # an annotated tag is peeled to its commit
    if not commit or not _COMMIT.fullmatch(commit):
        raise SourceError(f"the remote has no {full}", where=where, hint="check spec.ref", code="SS2003")
    return commit


def fetch(source: GitSource, mirror_dir: Path, *, allow_local: bool = False) -> Revision:
    """Fetch the configured ref into the bare mirror `<mirror_dir>/<source>.git` and resolve it to a commit.

    Depth 1 at first, later so deep that commits between two looks are there, too; no tags, no submodules, no hooks.
    Raises SourceError; the mirror then still holds the last commit.
    """
    where = _check(source, allow_local=allow_local)
    mirror = _mirror(source, mirror_dir)
    kept = f"refs/setscrew/{source.name}"
    deep = limits.REVISIONS_KEPT if (mirror / kept).is_file() else 1
    # Nobody else writes here, so a lock is one that a killed fetch has left, and would end every later one.
    for lock in ("shallow.lock", f"{kept}.lock"):
        (mirror / lock).unlink(missing_ok=True)
    depth = ["--quiet", f"--depth={deep}", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
    wanted = ["--end-of-options", source.url, f"+{source.ref.full}:{kept}"]
    command = ["fetch", *depth, *wanted]
    run(mirror, command, allow_local=allow_local, file_bytes=limits.GIT_PACK_BYTES, where=where)
    peeled = run(mirror, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{kept}^{{commit}}"])
    commit = peeled.decode("ascii").strip()
    facts = describe(mirror, commit)
    log = first_parents(mirror, commit, limits.REVISIONS_KEPT)
    return Revision(source.name, commit, str(source.ref), facts.subject, facts.author, str(mirror), log)


def _mirror(source: GitSource, mirror_dir: Path) -> Path:
    mirror = (mirror_dir / f"{source.name}.git").resolve()
    if not (mirror / "HEAD").is_file():
        mirror.mkdir(parents=True, exist_ok=True)
        run(mirror, ["init", "--quiet", "--bare", "--template=", "."])
    return mirror


def _check(source: GitSource, *, allow_local: bool) -> str:
    """What messages call the source. Raises SourceError for remotes that this process must not speak to."""
    where = f"source {source.name}"
    if source.is_local:
        if not allow_local:
            raise SourceError("local repositories are not allowed here", where=where, hint="use https:// or ssh://")
        return where
    host = urlsplit(source.url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"cannot resolve host {host}", where=where, code="SS2004") from error
    for *_, address in found:
        number = ipaddress.ip_address(str(address[0]).partition("%")[0])
        if number.is_loopback or number.is_link_local or number.is_unspecified or number.is_multicast:
            raise SourceError(f"host {host} is this machine or its metadata service", where=where, code="SS2005")
    return where
