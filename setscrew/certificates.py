"""Owns which certificates an installation serves with: its own, or files that others renew; looked at every second.

Must not know how a certificate is made or checked: `webhook.tls` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from reconciler.errors import SetscrewError, UsageError, place
from reconciler.limits import CERTIFICATE_LOOK_SECONDS, CERTIFICATE_TOLD_SECONDS
from webhook.registration.client import UrlClient
from webhook.settings import AdmissionSettings
from webhook.tls import files, given
from webhook.tls.files import ServingFiles
from webhook.tls.given import GivenFiles
from webhook.tls.lifetime import LIVES, Lives

DIRECTORY: Final = "tls"
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_Stamp = tuple[tuple[int, int], ...]


def _now() -> datetime:
    return datetime.now(UTC)


class Sharing(Protocol):
    """How the replicas of one installation know of each other's certificates. Both raise SetscrewError."""

    def share(self, bundle: bytes) -> bytes:
        """Give the others what the files are now, before anybody relies on them; whom clients are to trust for all.

        `bundle` is whom they are to trust for this replica. It is called at each look.
        """

    def registered(self, bundle: bytes) -> None:
        """The API server trusts all of `bundle` by now."""


class Alone:
    """There are no other replicas."""

    def share(self, bundle: bytes) -> bytes:
        """See `Sharing`."""
        return bundle

    def registered(self, bundle: bytes) -> None:
        """See `Sharing`."""


def given_files(certificate: Path | None, key: Path | None, ca_bundle: Path | None) -> GivenFiles | None:
    """What three options say together; None where none is given. Raises UsageError for some of them."""
    if certificate and key and ca_bundle:
        return GivenFiles(certificate.absolute(), key.absolute(), ca_bundle.absolute())
    if certificate or key or ca_bundle:
        raise UsageError("--tls-certificate, --tls-key and --tls-ca-bundle go together", hint="give all three or none")
    return None


def arguments(given: GivenFiles | None) -> list[str]:
    """The options that say so to a child."""
    if given is None:
        return []
    files = {"--tls-certificate": given.certificate, "--tls-key": given.key, "--tls-ca-bundle": given.ca_bundle}
    return [word for name, path in files.items() for word in (name, str(path))]


@dataclass(frozen=True, slots=True)
class Clients:
    """Who may ask for reviews: who has a certificate of `ca` that carries one of `names`; without a `ca` anyone."""

    ca: Path | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, ca: Path | None, names: tuple[str, ...]) -> Clients:
        """What two options say together; a name may hold several, with commas. Raises UsageError for half of it."""
        single = tuple(part.strip() for name in names for part in name.split(",") if part.strip())
        if bool(ca) != bool(single):
            hint = "pin the API server's name: else every certificate of that authority will do"
            raise UsageError("--client-ca and --client-name go together", hint=hint)
        return cls(ca.absolute() if ca else None, single)


def served(
    settings: AdmissionSettings, certificate: Path | None, key: Path | None, clients: Clients
) -> AdmissionSettings:
    """`settings` of an admission server with these files (None: the installation's own) and for these clients."""
    chosen = replace(settings, client_ca=clients.ca, client_names=clients.names)
    return replace(chosen, certificate=certificate, key=key) if certificate and key else chosen


def tried(settings: AdmissionSettings, url: str, trusted: str) -> AdmissionSettings:
    """`settings` of an admission server that tries a new certificate as the API server would that calls `url`.

    `trusted` is the name of the file that says whom that trusts.
    """
    return replace(
        settings, tls_trusted=settings.state_dir / DIRECTORY / trusted, tls_host=urlsplit(url).hostname or ""
    )


@dataclass(slots=True)
class Certificates:
    """The certificates of one installation. `say` takes one line for the log; all methods may be called in any thread.

    `url` is what the API server calls; "" where nothing is registered.
    """

    state_dir: Path
    url: str
    say: Callable[[str], None]
    given: GivenFiles | None = None
    lives: Lives = LIVES
    now: Callable[[], datetime] = _now
    shared: Sharing = field(default_factory=Alone)
    _found: ServingFiles | None = None
    _looked: datetime = _NEVER
    _stamp: _Stamp = ()
    _told: tuple[str, datetime] = ("", _NEVER)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def _directory(self) -> Path:
        return self.state_dir / DIRECTORY

    def begin(self) -> ServingFiles:
        """Make or check them for a start. Raises UsageError or StoreError in one line for what cannot work."""
        if self.given is not None:
            given.refuse(self.given, given.check(self.given, self._hosts(), self.now()))
        return self.current()

    def current(self) -> ServingFiles:
        """What is to be served and trusted now. The last good one stays; raises SetscrewError where there is none."""
        with self._lock:
            now, stamp = self.now(), self._look()
            if self._found is None or stamp != self._stamp or not self._looked <= now < self._found.due:
                self._renew(now)
                # What was written meanwhile is not news.
                self._looked, self._stamp = now, self._look()
            assert self._found is not None  # noqa: S101 - `_renew` raises before that
            found, bundle = self._found, self.shared.share(self._found.ca_bundle)
            return found if bundle == found.ca_bundle else replace(found, ca_bundle=bundle)

    def registered(self, ca_bundle: bytes) -> None:
        """The API server trusts all of `ca_bundle` by now. Raises StoreError."""
        if self.given is None:
            with self._lock:
                files.registered(self._directory, ca_bundle)
        self.shared.registered(ca_bundle)

    def watch(self, stop: threading.Event, changed: Callable[[], object]) -> None:
        """Look every second until `stop`; `changed` is called where clients are to trust something else."""
        trusted = b""
        while not stop.wait(CERTIFICATE_LOOK_SECONDS):
            try:
                bundle = self.current().ca_bundle
                if bundle != trusted:
                    changed()
                    trusted = bundle
            except SetscrewError as error:
                self._tell(str(error), self.now())
            except Exception as error:  # noqa: BLE001 - one bad look must not let all certificates end
                self._tell(f"certificates cannot be looked at: {place(error)}", self.now())

    def _renew(self, now: datetime) -> None:
        try:
            if self.given is not None:
                self._found = given.look(self.given, self._directory, self._hosts(), now)
            else:
                self._found = files.ensure(self._directory, UrlClient(self.url).names, now, self.lives)
        except SetscrewError as error:
            if self._found is None:
                raise
            self._tell(str(error), now)
            return
        for reason in self._found.reasons:
            self.say(f"{reason}: a new one is made")
        self._tell(self._found.trouble, now)

    def _tell(self, trouble: str, now: datetime) -> None:
        """Once, and again each minute in which it is so; its words may hold the time that is left."""
        again = self._told[1] + timedelta(seconds=CERTIFICATE_TOLD_SECONDS)
        if not trouble:
            if self._told[0]:
                self.say("certificates are well again")
            self._told = ("", again)
        elif not self._told[0] or not self._told[1] <= now < again:
            self._told = (trouble, now)
            self.say(trouble)

    def _hosts(self) -> tuple[str, ...]:
        host = urlsplit(self.url).hostname
        return (host,) if host else ()

    def _look(self) -> _Stamp:
        watched: tuple[Path, ...]
        if self.given is not None:
            watched = (self.given.certificate, self.given.key, self.given.ca_bundle)
        else:
            watched = tuple(self._directory / name for name in files.NAMES)
        return tuple(_stat(path) for path in watched)


def _stat(path: Path) -> tuple[int, int]:
    try:
        seen = path.stat()
    except OSError:
        return (0, 0)
    return (seen.st_mtime_ns, seen.st_ino)
