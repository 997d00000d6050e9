"""Owns the registration of one installation while it runs: kept as the snapshot needs it, with a fresh certificate.

Must not know how the configuration is built, written or kept: `webhook.registration` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from reconciler.cluster.api import ApiClient
from reconciler.cluster.watch import beats
from reconciler.errors import SetscrewError, StoreError
from reconciler.limits import PROBE_SECONDS
from reconciler.model.blind import BlindLog
from reconciler.model.own import CANONICALIZER, REGISTRATION
from reconciler.policy import grant_file
from reconciler.policy.grant import Grant
from reconciler.snapshot.model import MemorySnapshot
from setscrew.certificates import Certificates
from webhook.registration.apply import PATH
from webhook.registration.change import Document
from webhook.registration.client import ServiceClient, UrlClient, ca_bundle
from webhook.registration.configuration import build
from webhook.registration.keeper import Keeper, NoBlindLog, nobody
from webhook.registration.places import Guarded, guarded_by
from webhook.registration.probe import probe
from webhook.server.grants import GrantFeed


def _unheard(_: Document) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service of the cluster in place of a URL. `probe` takes the CA bundle; why nobody answers behind it, or ""."""

    client: ServiceClient
    probe: Callable[[bytes], str]


@dataclass(slots=True)
class Registrar:
    """Without a client or a `url` nothing is registered. `say` takes one line for the log, `blind` spans without it.

    With a `service` that is registered, and the namespace that it is in is our own.

    `user` names who changed the registration last since a moment, "" where nobody can tell. Any thread may call it.
    `note` hears of the entries of each document that the API server has taken, and may raise StoreError.
    """

    client: ApiClient | None
    state_dir: Path
    url: str
    say: Callable[[str], None]
    certificates: Certificates
    blind: BlindLog = field(default_factory=NoBlindLog)
    user: Callable[[datetime], str] = nobody
    note: Callable[[Document], None] = _unheard
    service: Service | None = None
    _keeper: Keeper | None = None
    _before: Sequence[Guarded] = ()
    _asked: Sequence[Guarded] | None = None
    _bundle: bytes = b""
    _grants: GrantFeed = field(init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._grants = GrantFeed(self.state_dir / grant_file.NAME)

    def preparing(self, snapshot: MemorySnapshot) -> None:
        """`snapshot` will be in force in a moment: from now on what it guards is asked about, too.

        A registration that cannot be written holds nothing up: what is registered goes on, and it is tried again.
        """
        with self._lock:
            self._keep([*self._before, *_guarded(snapshot)])

    def published(self, snapshot: MemorySnapshot) -> None:
        """`snapshot` is in force, or an hour has passed: what nothing is guarded of any more is not asked about."""
        with self._lock:
            self._before = _guarded(snapshot)
            self._keep(self._before)

    def renewed(self) -> None:
        """Clients are to trust something else. Until there is a snapshot, what is registered stays as it is."""
        with self._lock:
            if self._asked is not None:
                self._keep(self._asked)

    def _keep(self, guarded: Sequence[Guarded]) -> None:
        self._asked = guarded
        if self.client is None or not self.url:
            return
        try:
            self._bundle = self.certificates.current().ca_bundle
            way = self.service.client if self.service else UrlClient(self.url)
            own = self.service.client.namespace if self.service else ""
            wanted = build(guarded, way, self._bundle, CANONICALIZER, own_namespace=own)
        except SetscrewError as error:
            self.say(f"what is registered goes on, for no other registration can be made: {error}")
            return
        if self._keeper is None:
            self._keeper = self._made(self.client)
        self._keeper.want(wanted)
        self._keeper.start()

    def _made(self, client: ApiClient) -> Keeper:
        return Keeper(
            client,
            bell=lambda: beats(client, PATH, REGISTRATION, lambda why: self.say(f"registration: {why}")),
            probe=self._probed,
            grants=self._in_force,
            say=self.say,
            now=lambda: datetime.now(UTC),
            blind=self.blind,
            user=self.user,
            done=self._taken,
        )

    def _probed(self) -> str:
        service = self.service
        return service.probe(self._bundle) if service else probe(self.url, self._bundle, PROBE_SECONDS)

    def _taken(self, document: Document) -> None:
        """The API server has it. An authority that cannot be put to use now is put to use at the next writing."""
        try:
            self.note(_entries(document))
            self.certificates.registered(ca_bundle(document))
        except StoreError as error:
            self.say(str(error))

    def _in_force(self) -> Sequence[Grant]:
        self._grants.poll()
        return self._grants.current()


def _guarded(snapshot: MemorySnapshot) -> list[Guarded]:
    return guarded_by(snapshot.entries, snapshot.rules)


def _entries(document: Document) -> Document:
    """What people ask of a registration: the entries, what each is asked about, and what happens if nobody answers."""
    return {
        "entries": [
            {
                "name": one["name"],
                "failurePolicy": one["failurePolicy"],
                "resources": sorted({name for rule in one["rules"] for name in rule["resources"]}),
            }
            for one in document["webhooks"]
        ]
    }
