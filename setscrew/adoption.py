"""Owns the wiring of adoption: definitions of Argo CD and Flux in, sources and rules for the reconciler out.

Must not interpret a definition: `reconciler.adopt` does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Final

from reconciler.adopt.argo import adopt_argo
from reconciler.adopt.argo_credentials import LABEL, RepositorySecret, SecretFor, repository_secret, secret_for
from reconciler.adopt.flux import adopt_flux
from reconciler.adopt.flux_objects import Lookup
from reconciler.adopt.model import Adopted, Unsupported, source_name
from reconciler.cluster.api import ApiClient
from reconciler.cluster.definitions import is_definition
from reconciler.cluster.secrets import list_labelled, read_keys
from reconciler.errors import SourceError, UsageError
from reconciler.limits import ADOPTED_DEPTH
from reconciler.loop.adopting import Adopting
from reconciler.loop.reading import Good
from reconciler.loop.serve import Clockwork
from reconciler.model.objects import RenderedObject
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Rules
from reconciler.snapshot.model import Adopter, MemorySnapshot
from reconciler.source.secret import SecretRef, Secrets
from reconciler.store.private_file import write_private
from reconciler.store.sources import SourceStatus
from setscrew.configuration import Configuration

_KEPT: Final = "definitions.json"


def adopted(definitions: Iterable[Tree], secrets: Iterable[RepositorySecret], lookup: Lookup) -> Adopted:
    """What all these definitions come to; of two that make a source of one name, the first.

    An Application has the Secrets of its own namespace, which is Argo CD's: whoever may write a Secret elsewhere could
    lend it an authority and a proxy, and with them another repository.
    """
    known, given = list(definitions), list(secrets)
    found = adopt_flux(known, lookup)

    @cache
    def credentials(namespace: str) -> SecretFor:
        return secret_for(one for one in given if one.ref.namespace == namespace)

    for one in known:
        if one.get("kind") == "Application":
            found += adopt_argo(one, secret_for=credentials(str(dig(one, "metadata", "namespace"))))
    return found


def adopt_live(client: ApiClient, definitions: Iterable[Tree]) -> Adopted:
    """The same with what the cluster holds besides. Raises ClusterError."""
    labelled = list_labelled(client, "Secret", LABEL)
    secrets = [one for one in map(repository_secret, labelled) if one is not None]
    return adopted(definitions, secrets, partial(read_keys, client))


def declared_definitions(goods: Mapping[str, Good], last: MemorySnapshot | None = None) -> Iterator[Tree]:
    """Definitions that sources declare, but for those too many steps away from one that nobody declares.

    `last` tells what a source declared that could not be read yet.
    """
    read = [
        (name, _settled(one, good).tree)
        for name, good in goods.items()
        for one in good.objects
        if is_definition(one.ref.group, one.ref.kind)
    ]
    known = [
        (entry.source, entry.object.want)
        for entry in (last.entries if last else ())
        if entry.source not in goods and is_definition(entry.ref.group, entry.ref.kind)
    ]
    found = {source_name(_adopter(tree)): (name, tree) for name, tree in (*known, *read)}
    for name, (_, tree) in found.items():
        steps, parent = 0, name
        while parent in found and found[parent][0] != parent and steps <= ADOPTED_DEPTH:
            steps, parent = steps + 1, found[parent][0]
        if steps <= ADOPTED_DEPTH:
            yield tree


def _adopter(tree: Tree) -> Adopter:
    return Adopter(str(tree["kind"]), str(tree["metadata"]["name"]), str(tree["metadata"].get("namespace") or ""))


def _settled(one: RenderedObject, good: Good) -> RenderedObject:
    return one if one.ref.namespace else one.with_namespace(good.spec.namespace or "default")


def cluster_secrets(client: ApiClient, own: Secrets) -> Secrets:
    """Reads Secrets that name a namespace from the cluster, all others from `own`."""

    def read(ref: SecretRef) -> Mapping[str, bytes]:
        if not ref.namespace:
            return own(ref)
        keys = read_keys(client, "Secret", ref.namespace, ref.name)
        if keys is None:
            raise SourceError(f"there is no Secret {ref}", hint="make it, or take its name away", code="SS2011")
        return keys

    return read


def kept_definitions(state_dir: Path) -> list[Tree]:
    """What the process before this one knew; nothing where that cannot be read."""
    try:
        found = json.loads((state_dir / _KEPT).read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [tree for tree in found if isinstance(tree, dict)] if isinstance(found, list) else []


def adopting(follower: Follower, state_dir: Path) -> Adopting:
    """What follows the definitions of the cluster, which the reconciler of `follower` must know. Not begun yet."""
    reconciler, say = follower.clockwork.reconciler, follower.say
    if reconciler.client is None or reconciler.discovery is None:
        raise UsageError("definitions are adopted from a cluster", hint="give --kubeconfig")
    found = Adopting(
        client=reconciler.client,
        discovery=reconciler.discovery,
        adopt=partial(adopt_live, reconciler.client),
        follow=follower,
        say=say,
        declared=lambda: declared_definitions(reconciler.sources.goods(), reconciler.current),
        keep=lambda trees: write_private(state_dir / _KEPT, json.dumps(trees)),
    )
    told = reconciler.published

    def published(snapshot: MemorySnapshot) -> None:
        told(snapshot)
        # What a source declares may define further sources.
        found.look_soon()

    reconciler.published = published
    return found


@dataclass(slots=True)
class Follower:
    """Gives the reconciler what is configured and what is adopted, together; safe in any thread.

    `allow_local`: repositories may be on this machine, as demo and tests have them.
    """

    clockwork: Clockwork
    configured: Configuration
    say: Callable[[str], None]
    allow_local: bool = False
    _others: Sequence[SourceStatus] = ()
    _found: Adopted = field(default_factory=Adopted)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, found: Adopted, problems: tuple[str, ...]) -> None:
        """Follow `found` from now on. A source that is configured by hand goes before an adopted one of its name."""
        for problem in problems:
            self.say(problem)
        with self._lock:
            self._found = found
            self._follow()

    def configure(self, configured: Configuration, others: Sequence[SourceStatus] = ()) -> None:
        """Follow what is configured now; `others` are the states of what cannot be followed."""
        with self._lock:
            self.configured, self._others = configured, others
            self._follow()

    def _follow(self) -> None:
        found, own = self._found, {source.name for source in self.configured.sources}
        parts = [one for one in found.unsupported if not one.whole]
        sources = [
            replace(
                source,
                allow_private_hosts=self.allow_local,
                remarks=tuple(_said(one) for one in parts if one.by == source.adopted_by),
            )
            for source in found.sources
            if source.name not in own
        ]
        rules = _with(self.configured.rules, found)
        if rules != self.clockwork.reconciler.rules:
            # Other rules make all forms and policies anew.
            self.clockwork.reconciler.rules = rules
        others = [*self._others, *(_unsupported(one) for one in found.unsupported if one.whole)]
        self.clockwork.follow((*self.configured.sources, *sources), others)


def _with(rules: Rules, found: Adopted) -> Rules:
    return replace(rules, masks=(*rules.masks, *found.ignores))


def _unsupported(one: Unsupported) -> SourceStatus:
    return SourceStatus(source_name(one.by), "Unsupported", message=_said(one))


def _said(one: Unsupported) -> str:
    field = f" {one.field}" if one.field else ""
    return f"{one.by.kind} {one.by.namespace}/{one.by.name}:{field}: {one.reason}"
