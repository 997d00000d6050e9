"""Owns which kinds of other tools say what a cluster is made from, and reading those objects. Must not interpret them.

Read-only: the objects are the tools' own. What cannot be read now is taken as it was read before. So are all objects
of a kind that go at once, for a while: the API server removes them before the kind itself, and whoever removes a kind
must not open what its objects manage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import GroupVersionKind
from reconciler.cluster.live import list_live
from reconciler.cluster.paths import collection_path
from reconciler.cluster.refusal import told
from reconciler.errors import ApiError
from reconciler.limits import ADOPT_SECONDS
from reconciler.model.ref import KindInfo, ObjectRef, split_api_version
from reconciler.model.tree import Tree

# Versions that are understood, best first.
_VERSIONS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("argoproj.io", "Application"): ("v1alpha1",),
    ("source.toolkit.fluxcd.io", "GitRepository"): ("v1", "v1beta2"),
    ("source.toolkit.fluxcd.io", "OCIRepository"): ("v1", "v1beta2"),
    ("source.toolkit.fluxcd.io", "HelmRepository"): ("v1", "v1beta2"),
    ("source.toolkit.fluxcd.io", "HelmChart"): ("v1", "v1beta2"),
    ("source.toolkit.fluxcd.io", "Bucket"): ("v1", "v1beta2"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): ("v1", "v1beta2"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"): ("v2", "v2beta2"),
}


def is_definition(group: str, kind: str) -> bool:
    """True for a kind that defines sources, or is named by one that does."""
    return (group, kind) in _VERSIONS


def served(kinds: Mapping[GroupVersionKind, KindInfo]) -> Iterator[KindInfo]:
    """Of what a cluster serves, each kind of definition in the best version."""
    for (group, kind), versions in _VERSIONS.items():
        found = (kinds.get((group, version, kind)) for version in versions)
        if best := next(filter(None, found), None):
            yield best


@dataclass(slots=True)
class Definitions:
    """The definitions of one cluster as they were last read, by kind; `problems` says what could not be read now."""

    client: ApiClient
    known: dict[tuple[str, str], dict[ObjectRef, Tree]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    _emptied: dict[tuple[str, str], float] = field(default_factory=dict)

    def read(self, kinds: Mapping[GroupVersionKind, KindInfo], now: float) -> list[Tree]:
        """All definitions without their status, in the order of their names; `now` is monotonic, in seconds.

        Raises UnreachableError.
        """
        here = {(kind.group, kind.kind): kind for kind in served(kinds)}
        missing = ((name, found) for name, found in self.known.items() if found and name not in here)
        problems = [_gone(name, found) for name, found in missing]
        problems += filter(None, (self._read(name, kind, now) for name, kind in here.items()))
        self.problems = tuple(problems)
        return [tree for found in self.known.values() for _, tree in sorted(found.items())]

    def restore(self, trees: Iterable[Tree]) -> None:
        """Take these as read before: what the process before this one knew."""
        for tree in trees:
            group, _ = split_api_version(str(tree["apiVersion"]))
            metadata = tree["metadata"]
            ref = ObjectRef(group, str(tree["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"]))
            self.known.setdefault((group, ref.kind), {})[ref] = tree

    def _read(self, name: tuple[str, str], kind: KindInfo, now: float) -> str:
        """Read one kind; what is wrong, "" for nothing."""
        try:
            # Also tells a kind that is not served from one without objects.
            self.client.request("GET", collection_path(kind), query={"limit": 1})
            live = list_live(self.client, [kind])
        except ApiError as error:
            before = self.known.get(name)
            if error.status == 404:
                return _gone(name, before) if before else ""
            return f"{kind.name} cannot be read: {told(error)}"
        if live.unread:
            return f"{kind.name} cannot be read: {'; '.join(live.unread.values())}"
        if self.known.get(name) and not live.objects and now < self._emptied.setdefault(name, now) + ADOPT_SECONDS:
            return f"all objects of {kind.name} are gone: what they manage is let go of in {ADOPT_SECONDS:.0f} s"
        self._emptied.pop(name, None)
        self.known[name] = {ref: _without_status(tree) for ref, tree in live.objects.items()}
        return ""


def _gone(name: tuple[str, str], found: Mapping[ObjectRef, Tree]) -> str:
    return f"{name[1]}.{name[0]} is not served any more: what its {len(found)} objects manage is guarded as before"


def _without_status(tree: Tree) -> Tree:
    """What somebody wants; what the tool reports changes by the second."""
    metadata = {key: tree["metadata"][key] for key in _METADATA if key in tree["metadata"]}
    return {**{key: value for key, value in tree.items() if key != "status"}, "metadata": metadata}


_METADATA: Final = ("name", "namespace", "labels", "annotations", "ownerReferences", "deletionTimestamp", "generation")
