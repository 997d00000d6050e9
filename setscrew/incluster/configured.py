"""Owns the leader's configuration from objects: GitSource and DriftPolicy followed, their status and Events written.

Documents of the mounted directory (receivers, rules) count beside the objects. Must not read Git, nor judge anybody's
write. An object that cannot be used stops no other: its status says what, where, why and what next.

Wiring, in the order of `setscrew.reconcile.make`:

    configured = Configured(client, options.config_dir, say)
    config = configured.begin(last)                # in place of configuration.load(options.config_dir)
    ...                                            # Reconciler and Clockwork are made with `config`
    follower = Follower(clockwork, config, say, allow_local=options.allow_local)   # also what `adopting` is given
    clockwork.companions.append(configured.companion(reconciler, follower.configure, sink))
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.cluster.api import ApiClient
from reconciler.cluster.events import EventSink
from reconciler.loop.reconciler import Reconciler
from reconciler.snapshot.model import MemorySnapshot
from reconciler.store.sources import SourceStatus
from setscrew.configuration import Configuration

Change = Callable[[Configuration, Sequence[SourceStatus]], None]


@dataclass(slots=True)
class Configured:
    """`client` reads and writes as the reconciler; `directory` holds further documents, None: there are none."""

    client: ApiClient
    directory: Path | None
    say: Callable[[str], None]

    def begin(self, last: MemorySnapshot | None = None) -> Configuration:
        """Read all once; `last` is what was enforced before: what an unusable object said then, holds.

        Raises ClusterError where the objects cannot be read, UsageError for a wrong document of the directory.
        """
        raise NotImplementedError

    def companion(
        self, reconciler: Reconciler, change: Change, sink: EventSink | None = None
    ) -> Callable[[threading.Event], None]:
        """What follows the objects until its event is set; `change` is given each new configuration."""
        raise NotImplementedError
