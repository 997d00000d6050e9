"""Owns the leader's configuration from objects: GitSource and DriftPolicy followed, the status of all ours kept true.

Documents of the mounted directory (receivers, rules) count beside the objects. Must not read Git, nor judge anybody's
write. An object that cannot be used stops no other: its status says what, where, why and what next.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.events import EventSink
from reconciler.cluster.paths import collection_path
from reconciler.cluster.watch import beats
from reconciler.errors import ApiError, ClusterError, SetscrewError, place
from reconciler.limits import CONFIGURED_SECONDS, CONFIGURED_SETTLE_SECONDS, CONFIGURED_TRIES, STATUS_LOOK_SECONDS
from reconciler.loop.reconciler import Reconciler
from reconciler.model.kept import kept
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Rules
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.sources import SourceStatus, read_sources
from setscrew import configuration
from setscrew.configuration import Configuration
from setscrew.incluster.grant_objects import grants_of, revoked_since
from setscrew.incluster.objects import GRANT, POLICY, SOURCE, Combined, Key, Objects, combined, key_of
from setscrew.incluster.statuses import Condition, Facts, Status, grant_status, policy_status, source_status, whole
from setscrew.incluster.writing import KINDS, Writer

Change = Callable[[Configuration, Sequence[SourceStatus]], None]
_NOT_DEFINED: Final = "SS4014"


@dataclass(slots=True)
class Configured:
    """`client` reads and writes as the reconciler; `directory` holds further documents, None: there are none."""

    client: ApiClient
    directory: Path | None
    say: Callable[[str], None]
    _given: Configuration = field(default_factory=lambda: Configuration(Rules(())))
    _combined: Combined = field(default_factory=lambda: Combined(Configuration(Rules(()))))
    _objects: dict[Key, Tree] = field(default_factory=dict)
    _told: dict[str, str] = field(default_factory=dict)

    def begin(self, last: MemorySnapshot | None = None) -> Configuration:
        """Read all once; `last` is what was enforced before: what an unusable object said then, holds.

        Raises ClusterError where the objects cannot be read, UsageError for a wrong document of the directory.
        """
        found = configuration.load(self.directory)
        for file, _ in found.grants:
            # Each new leader would grant anew, from that moment on.
            self.say(f"{file}: a {GRANT} in a directory grants nothing in a cluster: make an object of it")
        self._given = replace(found, grants=())
        self._objects = _patiently(lambda: _all(self.client))
        self._take(combined(self._given, self._objects, None, last))
        return self._combined.configuration

    def companion(
        self, reconciler: Reconciler, change: Change, sink: EventSink | None = None
    ) -> Callable[[threading.Event], None]:
        """What follows the objects until its event is set; `change` is given each new configuration."""
        return partial(self._run, reconciler, change, Writer(self.client, self.say, sink))

    def _run(self, reconciler: Reconciler, change: Change, writer: Writer, stop: threading.Event) -> None:
        changed, read = threading.Event(), time.monotonic()
        # What has no source is told with those that have, from the beginning.
        change(self._combined.configuration, self._combined.others)
        for kind in KINDS:
            threading.Thread(target=self._hear, args=(kind, changed, stop), daemon=True).start()
        while not stop.is_set():
            if changed.wait(STATUS_LOOK_SECONDS) or time.monotonic() - read >= CONFIGURED_SECONDS:
                # What is applied together counts together.
                if stop.wait(CONFIGURED_SETTLE_SECONDS):
                    return
                changed.clear()
                read = time.monotonic()
                self._step("they are not read", partial(self._look, change))
            self._step("their status is not written", partial(self._report, reconciler, writer))

    def _hear(self, kind: str, changed: threading.Event, stop: threading.Event) -> None:
        say = partial(self._said, kind)
        for _ in beats(self.client, collection_path(KINDS[kind]), "", say, stop.wait):
            if stop.is_set():
                return
            changed.set()

    def _said(self, kind: str, why: str) -> None:
        self.say(f"{kind} objects {why}")

    def _step(self, what: str, work: Callable[[], None]) -> None:
        """What fails is told once, and tried again; what was followed before is followed on."""
        why = ""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - one object that nobody foresaw must not end the following
            why = str(error) if isinstance(error, SetscrewError) else place(error)
            if why != self._told.get(what):
                self.say(f"GitSource, DriftPolicy and DriftGrant objects: {what}: {why}")
        self._told[what] = why

    def _look(self, change: Change) -> None:
        objects = _all(self.client)
        found = combined(self._given, objects, self._combined)
        before, self._objects = self._combined, objects
        self._take(found)
        if (found.configuration, found.others) != (before.configuration, before.others):
            change(found.configuration, found.others)

    def _take(self, found: Combined) -> None:
        before, self._combined = self._combined.faults, found
        for (kind, name), fault in found.faults.items():
            if before.get((kind, name)) != fault:
                self.say(f"{kind} {name}: {fault.message}")

    def _report(self, reconciler: Reconciler, writer: Writer) -> None:
        """Write each status that is not true any more."""
        now = datetime.now(UTC).timestamp()
        said = _Said(self._combined, self._objects, reconciler, now)
        writer.keep(frozenset(self._objects))
        for key, tree in list(self._objects.items()):
            written = writer.write(tree, said.of(key, tree))
            if written is not None:
                self._objects[key] = written


class _Said:
    """What is to be said of each object at one moment."""

    def __init__(self, combined: Combined, objects: Objects, reconciler: Reconciler, now: float) -> None:
        self._combined, self._snapshot, self._now = combined, reconciler.current, now
        self._rows = {str(row["name"]): row for row in read_sources(reconciler.state)}
        self._sources, self._policies = _counts(self._snapshot)
        grants = (tree for (kind, _), tree in objects.items() if kind == GRANT)
        self._grants = grants_of(grants, reconciler.rules.grants, now)

    def of(self, key: Key, tree: Tree) -> Status:
        """The whole status of an object."""
        kind, name = key
        fault = self._combined.faults.get(key)
        before = dig(tree, "status")
        before = before if isinstance(before, dict) else {}
        found: tuple[Status, list[Condition]]
        if kind == SOURCE:
            found = source_status(self._facts(name), fault)
        elif kind == POLICY:
            found = policy_status(self._policies[name], fault)
        else:
            grant = self._grants.grants.get(name)
            known = revoked_since(grant, before, self._now) if grant is not None else None
            found = grant_status(known, self._grants.faults.get(name), self._now)
        return whole(before, int(dig(tree, "metadata", "generation") or 0), *found, self._now)

    def _facts(self, name: str) -> Facts:
        enforced = self._snapshot.sources.get(name) if self._snapshot is not None else None
        return Facts(self._combined.sources.get(name), self._rows.get(name), enforced, self._sources[name])


@kept(1)
def _counts(snapshot: MemorySnapshot | None) -> tuple[Counter[str], Counter[str]]:
    """How many objects each source declares, and how many have their settings from each policy."""
    entries = snapshot.entries if snapshot is not None else ()
    return Counter(one.source for one in entries), Counter(one.policy.name for one in entries)


def _all(client: ApiClient) -> dict[Key, Tree]:
    return {key_of(tree): tree for kind in KINDS for tree in read_objects(client, kind)}


def _patiently(read: Callable[[], dict[Key, Tree]]) -> dict[Key, Tree]:
    """Definitions that were just made are served a moment later; until then the API server says that it is busy."""
    for _ in range(CONFIGURED_TRIES - 1):
        try:
            return read()
        except ApiError as error:
            if error.status not in {429, 503}:
                raise
        time.sleep(1.0)
    return read()


def read_objects(client: ApiClient, kind: str) -> Iterator[Tree]:
    """All objects of one of our kinds. Raises ClusterError."""
    info = KINDS[kind]
    try:
        items = client.request("GET", collection_path(info)).get("items") or ()
    except ApiError as error:
        if error.status != 404:
            raise
        hint = "apply manifests/crds, and wait until they are established"
        raise ClusterError(
            f"the API server serves no {kind}", where=info.api_version, hint=hint, code=_NOT_DEFINED
        ) from error
    # Items of lists name neither.
    yield from ({**tree, "apiVersion": info.api_version, "kind": kind} for tree in items)
