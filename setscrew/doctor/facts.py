"""Owns the facts that checks judge. Pure data. Must not gather them, and holds no key, token or value of an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from reconciler.cluster.calls import Calls
from reconciler.cluster.canary import Proof
from reconciler.model.ref import KindInfo
from reconciler.snapshot.model import MemorySnapshot
from setscrew.doctor.finding import Missing
from setscrew.doctor.rights import Right
from webhook.tls.lifetime import Validity

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    """The admission server, asked from here. `status` is that of /readyz, 0 with `error` where nothing answered."""

    url: str
    status: int = 0
    error: str = ""
    leaf: Validity | None = None


class FileProblem(NamedTuple):
    """What is wrong with one of the certificate files."""

    file: str
    what: str
    fix: str


class Try(NamedTuple):
    """One entry tried with a dry-run that must be refused."""

    entry: str
    object: str
    proof: Proof
    detail: str = ""
    fix: str = ""


class Asked(NamedTuple):
    """Whose rights were asked about, and which of those needed were refused."""

    user: str
    refused: tuple[Right, ...] = ()


class Held(NamedTuple):
    """A service account of ours, and the admission policy that holds it to dry-runs (None: there is none)."""

    account: bool
    policy: Document | None = None
    binding: Document | None = None


class Served(NamedTuple):
    """What the API server serves; `down` are groups whose own server does not answer."""

    version: str
    kinds: frozenset[tuple[str, str, str]]
    down: tuple[str, ...] = ()

    def serves(self, kind: KindInfo) -> bool:
        """Whether objects of that kind and version can be in the cluster at all."""
        return (kind.group, kind.version, kind.kind) in self.kinds


class Stored(NamedTuple):
    """What the reconciler has last written down, as its store gives it: JSON objects."""

    sources: tuple[Mapping[str, Any], ...] = ()
    watches: Mapping[str, Mapping[str, Any]] = {}
    blind: tuple[Mapping[str, Any], ...] = ()
    observed_at: str = ""
    current_at: str = ""
    unwatched: Mapping[str, str] = {}


class Running(NamedTuple):
    """Who works on the state directory. `locked`: a `setscrew run`. `answers`: a reconciler takes messages."""

    locked: bool
    answers: bool
    reconcilers: int


class Disk(NamedTuple):
    """Bytes of the disk that holds the state directory."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known. `report_only`: it runs without a registration, on purpose.

    `trust`: by caBundle (base64, as registered) why it does not vouch for the served certificate, "" if it does.
    `snapshot_problem`: why the newest snapshot file cannot be used. `skew`: seconds that the API server's clock is
    ahead of this machine's.
    """

    now: datetime
    server: Server | Missing
    files: tuple[FileProblem, ...] | Missing
    registration: Document | Missing | None
    trust: Mapping[str, str] | Missing
    tries: tuple[Try, ...] | Missing
    calls: Calls | Missing
    skew: float | Missing
    asked: Asked | Missing
    held: Mapping[str, Held] | Missing
    served: Served | Missing
    snapshot: MemorySnapshot | Missing
    published: datetime | Missing
    schema: str | Missing
    stored: Stored | Missing
    running: Running | Missing
    disk: Disk | Missing
    url: str = ""
    report_only: bool = False
    snapshot_problem: str = ""

    @property
    def seen(self) -> bool:
        """Whether both the cluster and the state directory could be looked at."""
        return not isinstance(self.registration, Missing) and not isinstance(self.running, Missing)
