"""Owns what a replica does that does not lead: mirror keys and certificates, restore snapshots, relay questions.

Must not read Git, render or write anything but its own mailbox. `stop` ends it before the replica begins to lead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.watch import beats
from reconciler.errors import SetscrewError, place
from reconciler.limits import SHARED_LOOK_SECONDS, SHARED_RETRY_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from reconciler.loop.listening import listen
from reconciler.loop.receipt import receive
from reconciler.model.own import MANIFEST, SNAPSHOTS_NAMESPACE, TLS_SECRET
from reconciler.model.sockets import DECISIONS_SOCKET, RECONCILER_SOCKET
from reconciler.published.mailbox import ask
from reconciler.published.restorer import Restorer
from reconciler.store.decisions import record_all
from reconciler.store.state import State
from setscrew.incluster.keys import Keys
from setscrew.incluster.shared_tls import COLLECTION, SharedTls
from setscrew.statedir import secret_key
from webhook.tls.signing import PublicKey

_SECRETS: Final = f"/api/v1/namespaces/{SNAPSHOTS_NAMESPACE}/secrets"
_NOT_LEADING: Final = "this replica does not lead"


@dataclass(slots=True)
class Follower:
    """`name` is the replica's, `state` its own store. `tls` None: others renew the certificate in every replica."""

    client: ApiClient
    name: str
    state_dir: Path
    state: State
    keys: Keys
    tls: SharedTls | None
    say: Callable[[str], None]
    _held: tuple[PublicKey, bytes] | None = None
    _restorer: Restorer | None = None
    _told: dict[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _stop: threading.Event = field(default_factory=threading.Event)
    # Held by whoever changes the state directory, so that nothing does once `stop` has been called.
    _acting: threading.RLock = field(default_factory=threading.RLock)

    def start(self) -> None:
        """Begin: sockets at once, the rest in threads."""
        for socket in (RECONCILER_SOCKET, DECISIONS_SOCKET):
            (self.state_dir / socket).unlink(missing_ok=True)
        listen(self._stack, self.state_dir / RECONCILER_SOCKET, self.answers)
        receive(self._stack, self.state_dir / DECISIONS_SOCKET, self._keep, self._stop)
        works = [self._follow_keys, lambda: self._watch(_SECRETS, MANIFEST, "snapshot", self._restore)]
        if self.tls is not None:
            works.append(lambda: self._watch(COLLECTION, TLS_SECRET, "certificate", self._mirror))
        for work in works:
            threading.Thread(target=work, daemon=True).start()

    def restored(self) -> bool:
        """Restore what is published now, if there is anything; True if so. Says why not, once."""
        return self._step("snapshot", self._restore)

    def quiet(self) -> None:
        """Change nothing in the state directory any more: this replica begins to lead. Sockets answer on."""
        self._stop.set()
        with self._acting:
            return

    def close(self) -> None:
        """Close the sockets: those of the leader take their place."""
        self._stop.set()
        self._stack.close()

    def answers(self, question: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
        """A look at Git is relayed to the leader; all else is the leader's to answer."""
        if question.get("op") not in (None, "refresh"):
            hint = "ask the leader: kubectl get lease -n setscrew-system setscrew names its pod"
            return [{"error": _NOT_LEADING, "hint": hint, "code": "SS4012"}]
        return self._relayed(str(question.get("source") or ""))

    def _relayed(self, source: str) -> Iterator[dict[str, Any]]:
        for news in ask(self.client, self.name, source, WEBHOOK_TIMEOUT_SECONDS):
            # The leader has published what it enforces before it says so.
            if "digest" in news and not self.restored():
                return
            yield news

    def _follow_keys(self) -> None:
        """Until all keys are there, soon; then now and then, since another installation may have made others."""
        while not self._stop.is_set():
            self._step("keys", self._take_keys)
            self._stop.wait(SHARED_LOOK_SECONDS if self._restorer is not None else SHARED_RETRY_SECONDS)

    def _take_keys(self) -> None:
        key = self.keys.followed()
        if key is None:
            return
        held = (key, secret_key(self.state_dir))
        if held != self._held:
            self._restorer = Restorer(self.client, key, self.state_dir / "snapshots", held[1], self.say)
            self._held = held
            self._restore()

    def _restore(self) -> None:
        if self._restorer is not None:
            self._restorer.restore()

    def _mirror(self) -> None:
        if self.tls is not None:
            self.tls.mirror()

    def _keep(self, lines: list[bytes]) -> None:
        try:
            record_all(self.state, lines)
        except SetscrewError as error:
            self.say(str(error))

    def _watch(self, collection: str, name: str, what: str, act: Callable[[], None]) -> None:
        for _ in beats(self.client, collection, name, lambda why: self.say(f"the published {what} {why}")):
            while not self._step(what, act):
                time.sleep(SHARED_RETRY_SECONDS)
            if self._stop.is_set():
                return

    def _step(self, what: str, act: Callable[[], object]) -> bool:
        """False where it failed; says why, once."""
        why = ""
        with self._acting:
            if self._stop.is_set():
                return True
            try:
                act()
            except SetscrewError as error:
                why = str(error)
            except Exception as error:  # noqa: BLE001 - one bad look must not end the following
                why = place(error)
            if why and why != self._told.get(what):
                self.say(f"{what}: {why}")
            self._told[what] = why
        return not why
