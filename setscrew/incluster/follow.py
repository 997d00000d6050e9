"""Owns what a replica does that does not lead: mirror keys and certificates, restore snapshots, relay questions.

What it records is handed on to the leader. Must not read Git, render or write anything but its own mailbox and records.
`stop` ends it before the replica begins to lead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import SetscrewError
from reconciler.limits import SHARED_LOOK_SECONDS, SHARED_RETRY_SECONDS, WEBHOOK_TIMEOUT_SECONDS
from reconciler.loop.listening import listen
from reconciler.loop.receipt import receive
from reconciler.model.own import MANIFEST, TLS_SECRET
from reconciler.model.sockets import DECISIONS_SOCKET, RECONCILER_SOCKET
from reconciler.published.mailbox import ask
from reconciler.published.records import Sending
from reconciler.published.restorer import Restorer
from reconciler.published.secrets import COLLECTION as SNAPSHOTS
from reconciler.store.decisions import record_all
from reconciler.store.state import State
from setscrew.incluster.keys import Keys
from setscrew.incluster.newest import Newest
from setscrew.incluster.shared_tls import COLLECTION, SharedTls
from setscrew.incluster.steps import Steps
from setscrew.statedir import secret_key
from webhook.tls.signing import PublicKey

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
    _stack: ExitStack = field(default_factory=ExitStack)
    # Whatever changes the state directory is one of them.
    _steps: Steps = field(init=False)
    _sending: Sending = field(init=False)

    def __post_init__(self) -> None:
        self._steps = Steps(self.client, self.say)
        self._sending = Sending(self.client, self.name)

    def start(self) -> None:
        """Begin: sockets at once, the rest in threads."""
        for socket in (RECONCILER_SOCKET, DECISIONS_SOCKET):
            (self.state_dir / socket).unlink(missing_ok=True)
        listen(self._stack, self.state_dir / RECONCILER_SOCKET, self.answers)
        receive(self._stack, self.state_dir / DECISIONS_SOCKET, self._keep, self._steps.stop)
        watch = self._steps.watch
        works = [self._follow_keys, lambda: watch(SNAPSHOTS, MANIFEST, "snapshot", self._restore)]
        # Steps of their own: a writer that waits for a snapshot does not wait for records.
        handing = Steps(self.client, self.say, self._steps.stop)
        works.append(lambda: self._sending.run(lambda act: handing.step("records for the leader", act), handing.stop))
        if self.tls is not None:
            works.append(lambda: watch(COLLECTION, TLS_SECRET, "certificate", self._mirror))
        for work in works:
            threading.Thread(target=work, daemon=True).start()

    def restored(self) -> bool:
        """Restore what is published now, if there is anything; True if so. Says why not, once."""
        return self._steps.step("snapshot", self._restore)

    def quiet(self) -> None:
        """Change nothing in the state directory any more: this replica begins to lead. Sockets answer on."""
        self._steps.quiet()

    def close(self) -> None:
        """Close the sockets: those of the leader take their place."""
        self._steps.stop.set()
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
        while not self._steps.stop.is_set():
            self._steps.step("keys", self._take_keys)
            self._steps.stop.wait(SHARED_LOOK_SECONDS if self._restorer is not None else SHARED_RETRY_SECONDS)

    def _take_keys(self) -> None:
        key = self.keys.followed()
        if key is None:
            return
        held = (key, secret_key(self.state_dir))
        if held != self._held:
            newest = Newest(self.client).number
            self._restorer = Restorer(self.client, key, self.state_dir / "snapshots", held[1], newest)
            self._held, self._sending.key = held, held[1]
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
        self._sending.put(lines)
