"""Owns fetching: bare mirrors, one a remote, shared by the sources that read it. Never checks out, never trusts a push.

Sources of one repository with the same credentials cost one question and one fetch; each keeps a ref of its own.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from reconciler import limits
from reconciler.errors import SourceError
from reconciler.source import objects
from reconciler.source.access import opened
from reconciler.source.backend import Entry, Head, Revision
from reconciler.source.command import Access, run
from reconciler.source.credentials import Credentials, parse_credentials, parse_proxy
from reconciler.source.github_app import Tokens
from reconciler.source.hosts import place_of
from reconciler.source.refs import Refs, parse_refs, patterns
from reconciler.source.secret import SecretRef, Secrets, no_secrets
from reconciler.source.spec import GitSource

_LS_REMOTE_SECONDS: Final = 20
_ALL: Final = 2**31 - 1  # what git calls infinite
_DEEPER: Final = (50, 500)
# Many small packs are made one, and what no source can reach any more is let go.
_TIDY: Final = ("-c", "gc.auto=2000", "-c", "gc.autoPackLimit=30", "-c", "gc.autoDetach=false")


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository, and as whom it is reached: what sources share a mirror by."""

    url: str
    secret: SecretRef | None = None
    proxy: SecretRef | None = None
    allow_private: bool = False

    @classmethod
    def of(cls, source: GitSource) -> Remote:
        """The remote of a source."""
        return cls(source.url, source.secret, source.proxy_secret, source.allow_private_hosts)

    @property
    def name(self) -> str:
        """Of its mirror's directory."""
        digest = hashlib.sha256(repr((self.url, str(self.secret), str(self.proxy), self.allow_private)).encode())
        return f"{digest.hexdigest()[:20]}.git"


@dataclass(slots=True)
class _State:
    """What is known of a remote: its last answer, when it was asked for (monotonic) and for what."""

    asking: threading.Lock = field(default_factory=threading.Lock)
    fetching: threading.Lock = field(default_factory=threading.Lock)
    asked: float = -1.0
    patterns: frozenset[str] = frozenset()
    refs: Refs = field(default_factory=Refs)
    error: SourceError | None = None


@dataclass(slots=True)
class Git:
    """A `Backend` with mirrors below `mirrors`. `allow_local` lets file URLs in. Several threads may use it."""

    mirrors: Path
    allow_local: bool = False
    secrets: Secrets = no_secrets
    _tokens: Tokens = field(default_factory=Tokens)
    _followed: dict[Remote, tuple[GitSource, ...]] = field(default_factory=dict)
    _states: dict[Remote, _State] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, sources: Iterable[GitSource]) -> None:
        """These are all that is followed from now on."""
        followed: dict[Remote, tuple[GitSource, ...]] = {}
        for source in sources:
            for one in (source, *(other for _, other in source.beside)):
                remote = Remote.of(one)
                followed[remote] = (*followed.get(remote, ()), one)
        self._followed = followed

    def tidy(self) -> None:
        """Remove the mirrors of remotes that nobody follows."""
        kept = {remote.name for remote in self._followed}
        for mirror in self.mirrors.glob("*.git"):
            if mirror.name not in kept:
                shutil.rmtree(mirror, ignore_errors=True)

    def mirror(self, source: GitSource) -> Path:
        """Where the source's repository is kept."""
        return (self.mirrors / Remote.of(source).name).resolve()

    def resolve(self, source: GitSource, since: float | None = None) -> Head:
        """See `Backend`."""
        where = self._check(source)
        if source.ref.kind == "commit":
            return Head(source.ref.value, source.ref.value)
        since = time.monotonic() if since is None else since
        state, wanted = self._state(source), patterns(source)
        with state.asking:
            if state.asked < since or not wanted <= state.patterns:
                state.patterns = wanted.union(*map(patterns, self._followed.get(Remote.of(source), ())))
                state.asked = time.monotonic()
                state.refs, state.error = self._ask(source, sorted(state.patterns))
            if state.error is not None:
                raise SourceError(state.error.message, where=where, hint=state.error.hint, code=state.error.code)
            return state.refs.head_of(source, where)

    def fetch(self, source: GitSource, head: Head, *, last: str = "", depth: int = 0) -> Revision:
        """See `Backend`."""
        mirror = self.mirror(source)
        self._check(source)
        with self._state(source).fetching:
            self._make(mirror)
            if depth or self._held(mirror, head) != (head.tag or head.commit):
                self._pull(source, mirror, head, depth)
            commit = self._peeled(mirror, head)
            rewritten = last if last and not self._descends(source, mirror, head, commit, last) else ""
            for name, value in (("now", commit), ("last", last or commit)):
                with suppress(SourceError):  # the last may be of another repository
                    run(mirror, ["update-ref", f"refs/setscrew/{source.name}/{name}", value])
        facts = objects.describe(mirror, commit)
        log = objects.first_parents(mirror, commit, limits.REVISIONS_KEPT)
        tag = self._held(mirror, head) if head.tag else ""
        return Revision(source.name, commit, head.name, facts.subject, facts.author, str(mirror), log, tag, rewritten)

    def list(self, revision: Revision) -> Iterator[Entry]:
        """See `Backend`."""
        return objects.entries(Path(revision.mirror), revision.commit)

    def read(self, revision: Revision, wanted: Iterable[Entry]) -> Iterator[tuple[Entry, bytes]]:
        """See `Backend`."""
        return objects.read(Path(revision.mirror), wanted)

    def _state(self, source: GitSource) -> _State:
        with self._lock:
            return self._states.setdefault(Remote.of(source), _State())

    def _ask(self, source: GitSource, wanted: Sequence[str]) -> tuple[Refs, SourceError | None]:
        arguments = ["ls-remote", "--quiet", "--symref", "--end-of-options", source.url, *wanted]
        seconds = min(_LS_REMOTE_SECONDS, source.timeout)
        try:
            with self._reached(source) as access:
                output = run(Path("/"), arguments, allow_local=self.allow_local, access=access, seconds=seconds)
        except SourceError as error:
            return Refs(), error
        return parse_refs(output), None

    def _pull(self, source: GitSource, mirror: Path, head: Head, depth: int) -> None:
        """Fetch what followers of this remote are without, too; the one alone where one of the others is gone."""
        others = () if depth else self._news(source, mirror)
        try:
            self._fetch(source, mirror, [head, *others], depth)
        except SourceError:
            if not others:
                raise
            self._fetch(source, mirror, [head], depth)
        with suppress(SourceError):
            run(mirror, [*_TIDY, "gc", "--auto", "--quiet", "--prune=now"], seconds=source.timeout)

    def _news(self, source: GitSource, mirror: Path) -> Sequence[Head]:
        refs, found = self._state(source).refs, {}
        for one in self._followed.get(Remote.of(source), ()):
            with suppress(SourceError):
                head = refs.head_of(one, "")
                if one.ref.kind != "commit" and self._held(mirror, head) != (head.tag or head.commit):
                    found[head.ref] = head
        return tuple(found.values())

    def _fetch(self, source: GitSource, mirror: Path, heads: Iterable[Head], depth: int) -> None:
        # Nobody else writes here, so a lock is one that a killed fetch has left, and would end every later one.
        for lock in (mirror / "shallow.lock", *(mirror / "refs").rglob("*.lock")):
            lock.unlink(missing_ok=True)
        is_first = not (mirror / _KEPT).is_dir() and not (mirror / "packed-refs").is_file()
        deep = depth or (1 if is_first else limits.REVISIONS_KEPT)
        options = ["--quiet", f"--depth={deep}", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
        wanted = dict.fromkeys(f"+{head.ref}:{_kept(head)}" for head in heads)
        command = ["fetch", *options, "--end-of-options", source.url, *wanted]
        with self._reached(source) as access:
            run(
                mirror,
                command,
                allow_local=self.allow_local,
                access=access,
                seconds=source.timeout,
                file_bytes=limits.GIT_PACK_BYTES,
                where=f"source {source.name}",
            )

    def _descends(self, source: GitSource, mirror: Path, head: Head, commit: str, last: str) -> bool:
        """Whether `last` is in the history of `commit`, as far as that has to be fetched to know."""
        if _reaches(mirror, commit, last):
            return True
        for depth in (*_DEEPER, *([_ALL] if source.wants_fast_forward else [])):
            if not (mirror / "shallow").is_file():
                break  # all is here
            self._fetch(source, mirror, [head], depth)
            if _reaches(mirror, commit, last):
                return True
        return False

    def _held(self, mirror: Path, head: Head) -> str:
        """The object that the mirror has for a ref, "" for none."""
        with suppress(OSError):
            return (mirror / _kept(head)).read_text().strip()
        with suppress(SourceError):
            return run(mirror, ["rev-parse", "--verify", "--quiet", "--end-of-options", _kept(head)]).decode().strip()
        return ""

    def _peeled(self, mirror: Path, head: Head) -> str:
        wanted = f"{_kept(head)}^{{commit}}"
        return run(mirror, ["rev-parse", "--verify", "--quiet", "--end-of-options", wanted]).decode("ascii").strip()

    def _make(self, mirror: Path) -> None:
        if not (mirror / "HEAD").is_file():
            mirror.mkdir(parents=True, exist_ok=True)
            run(mirror, ["init", "--quiet", "--bare", "--template=", "."])

    def _check(self, source: GitSource) -> str:
        """What messages call the source. Raises SourceError for a local one where none is allowed."""
        where = f"source {source.name}"
        if source.is_local and not self.allow_local:
            raise SourceError("local repositories are not allowed here", where=where, hint="use https:// or ssh://")
        return where

    @contextmanager
    def _reached(self, source: GitSource) -> Iterator[Access]:
        if source.is_local:
            yield Access()
            return
        where, credentials = f"source {source.name}", self.credentials(source)
        place = place_of(
            source.url, where, allow_private=source.allow_private_hosts, proxied=credentials.proxy is not None
        )
        with opened(credentials, place) as access:
            yield access

    def credentials(self, source: GitSource) -> Credentials:
        """As whom the source's repository is read. Raises SourceError."""
        where = f"source {source.name}"
        keys = self.secrets(source.secret) if source.secret is not None else {}
        found = parse_credentials(source.url, keys, where)
        if source.proxy_secret is not None:
            found = replace(found, proxy=parse_proxy(self.secrets(source.proxy_secret), where))
        if found.proxy is not None:  # whoever writes the Secret could else have anything here asked
            place_of(found.proxy.address, where, allow_private=source.allow_private_hosts)
        return self._tokens.exchanged(found, where, allow_private=source.allow_private_hosts)


_KEPT: Final = "refs/at"


def _kept(head: Head) -> str:
    """The ref in the mirror. By digest: a branch may come to stand where another's directory was."""
    return f"{_KEPT}/{hashlib.sha256(head.ref.encode()).hexdigest()[:20]}"


def _reaches(mirror: Path, commit: str, last: str) -> bool:
    """Whether `last` is `commit` or before it, as far as the mirror goes."""
    try:
        return run(mirror, ["rev-list", "--count", "--end-of-options", last, f"^{commit}"]).strip() == b"0"
    except SourceError:
        return False
