"""Owns following other tools' definitions while they change: read, adopt, and hand on what is new. Must not interpret.

What could not be read holds as it was read before. The first reading is waited for: without it, what the process
before this one has guarded would look as if nobody declared it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from reconciler.adopt.model import Adopted, Unsupported
from reconciler.cluster.api import ApiClient
from reconciler.cluster.definitions import Definitions, served
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.paths import collection_path
from reconciler.cluster.watch import beats
from reconciler.errors import ClusterError, SetscrewError, place
from reconciler.limits import ADOPT_SECONDS, ADOPT_SETTLE_SECONDS, ADOPTED_SOURCES
from reconciler.model.ref import KindInfo
from reconciler.model.tree import ABSENT, Tree, dig
from reconciler.source.spec import GitSource

_WAITS: Final = "it needs a Secret, which what Git declares is given once it is in the cluster, too"


def _nowhere() -> Iterable[Tree]:
    """No source declares definitions."""
    return ()


@dataclass(slots=True)
class Adopting:
    """`adopt` makes sources of definitions, `follow` is given what is new, `say` takes one line.

    `declared` are the definitions that sources declare: one that is not in the cluster yet counts, too. `keep` is given
    what the cluster holds, for `begin` of the next process.
    """

    client: ApiClient
    discovery: Discovery
    adopt: Callable[[Iterable[Tree]], Adopted]
    follow: Callable[[Adopted, tuple[str, ...]], None]
    say: Callable[[str], None]
    declared: Callable[[], Iterable[Tree]] = _nowhere
    keep: Callable[[list[Tree]], object] = list
    _definitions: Definitions = field(init=False)
    _last: tuple[Adopted, tuple[str, ...]] | None = None
    _followed: tuple[GitSource, ...] = ()
    _told: str = ""
    _kept: list[Tree] = field(default_factory=list)
    _watched: set[KindInfo] = field(default_factory=set)
    _changed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._definitions = Definitions(self.client)

    def begin(self, kept: Iterable[Tree] = ()) -> None:
        """Read all definitions once; `kept` are those of the process before this one.

        Raises ClusterError where some cannot be read, and nothing is known of them.
        """
        before = list(kept)
        self._definitions.restore(before)
        self._followed = self.adopt(before).sources if before else ()
        self._look()
        if any((kind.group, kind.kind) not in self._definitions.known for kind in served(self.discovery.kinds())):
            raise ClusterError(
                f"definitions cannot be adopted: {'; '.join(self._definitions.problems)}",
                hint="give the reconciler's identity get, list and watch on them, or run without --adopt",
                code="SS4010",
            )

    def look_soon(self) -> None:
        """What sources declare may be other than it was; safe in any thread."""
        self._changed.set()

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop` is set: soon after each change, and now and then."""
        while not stop.is_set():
            self._watch(stop)
            self._changed.wait(ADOPT_SECONDS / 2)
            # What is applied together is read together.
            if stop.wait(ADOPT_SETTLE_SECONDS):
                return
            self._changed.clear()
            self._step()

    def _step(self) -> None:
        try:
            self._look()
            self._told = ""
        except Exception as error:  # noqa: BLE001 - one definition that nobody foresaw must not end the following
            why = str(error) if isinstance(error, SetscrewError) else place(error)
            if why != self._told:
                self.say(f"definitions of other tools: {why}; what was read before holds")
            self._told = why

    def _look(self) -> None:
        live = self._definitions.read(self.discovery.kinds(), time.monotonic())
        if live != self._kept:
            self.keep(live)
            self._kept = live
        found, problems = _within_limit(self._held(self._adopted(live))), self._definitions.problems
        if (found, problems) != self._last:
            self._last, self._followed = (found, problems), found.sources
            self.follow(found, problems)

    def _held(self, found: Adopted) -> Adopted:
        """With what was followed of definitions that refer to something which is not there now."""
        waiting = {one.by for one in found.unsupported if one.whole and one.waits}
        held = tuple(source for source in self._followed if source.adopted_by in waiting)
        partly = {source.adopted_by for source in held}
        unsupported = tuple(replace(one, whole=False) if one.by in partly else one for one in found.unsupported)
        return replace(found, sources=(*found.sources, *held), unsupported=unsupported)

    def _adopted(self, live: list[Tree]) -> Adopted:
        """What is made of the cluster's definitions, and of those that sources declare beside them.

        Who may write a definition into a namespace, and so use its Secrets, the cluster decides: a push does not. What
        was followed before stays, also while its definition is gone.
        """
        known = {_named(tree) for tree in live}
        found = self.adopt(live)
        if not (waiting := [tree for tree in self.declared() if _named(tree) not in known]):
            return found
        trusted = {source.name: source for source in (*self._followed, *found.sources)}
        whole = self.adopt([*live, *waiting])
        taken, refused = list[GitSource](), list[Unsupported]()
        for source in whole.sources:
            if not _needs_secrets(source) or source == trusted.get(source.name):
                taken.append(source)
            elif source.name in trusted:
                taken.append(trusted[source.name])
            else:
                refused.append(Unsupported(source.adopted_by, "spec", _WAITS))
        return replace(whole, sources=tuple(taken), unsupported=(*whole.unsupported, *refused))

    def _watch(self, stop: threading.Event) -> None:
        """A thread for each kind that has come to be served; they end with the process."""
        for kind in served(self.discovery.kinds()):
            if kind not in self._watched:
                self._watched.add(kind)
                threading.Thread(target=self._hear, args=(kind, stop), daemon=True).start()

    def _hear(self, kind: KindInfo, stop: threading.Event) -> None:
        for _ in beats(self.client, collection_path(kind), "", lambda why: self.say(f"{kind.name} {why}")):
            if stop.is_set():
                return
            self._changed.set()


def _needs_secrets(source: GitSource) -> bool:
    named = (source.secret, source.proxy_secret, source.verify.keys, dig(source.render, "flux", "secrets"))
    return any(one not in (None, ABSENT) for one in named) or any(_needs_secrets(one) for _, one in source.beside)


def _named(tree: Tree) -> tuple[str, str, str, str]:
    metadata = tree["metadata"]
    group = str(tree["apiVersion"]).partition("/")[0]
    return group, str(tree["kind"]), str(metadata.get("namespace") or ""), str(metadata.get("name"))


def _within_limit(found: Adopted) -> Adopted:
    """Raises ClusterError for more than one reconciler can read: half of them would be no answer."""
    if len(found.sources) > ADOPTED_SOURCES:
        raise ClusterError(
            f"{len(found.sources)} sources are defined, which is more than {ADOPTED_SOURCES}",
            hint="list those to guard in the configuration, without --adopt",
            code="SS4011",
        )
    return replace(found, sources=tuple({source.name: source for source in reversed(found.sources)}.values())[::-1])
