"""Owns reading the classes of a cluster: each kind listed once, and shrunk as it comes. Must not judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.live import list_live
from reconciler.gpu.dra.requests import SLICE
from reconciler.gpu.tolerant import length, mapping
from reconciler.gpu.users.census import census
from reconciler.gpu.users.shrink import WATCHED, shrink
from reconciler.gpu.world import GroupKind, World
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree
from reconciler.render.embedded_loader import load_embedded
from setscrew import configuration
from setscrew.gpu.model import Definition, Found

PLACE = "live"


def read_cluster(client: ApiClient, at: str) -> Found:
    """What the cluster holds; kinds that it does not serve have no objects.

    Raises `UnreachableError`, and `ApiError` where it does not even say which kinds there are.
    """
    parse, discovery = cache(load_embedded), Discovery(client)
    unread = dict(_without_server(discovery))
    objects: dict[GroupKind, dict[ObjectRef, Tree]] = {}
    slices: dict[ObjectRef, Tree] = {}
    for kind in _served(discovery):
        # One kind at a time: whole Pods of a large cluster would fill the memory.
        live = list_live(client, [kind])
        unread |= dict.fromkeys([kind.name] if live.unread else (), next(iter(live.unread.values()), ""))
        which = kind.group, kind.kind
        objects[which] = {ref: shrink(*which, tree) for ref, tree in live.objects.items()}
        if which == SLICE:
            slices = {ref: _numbered(tree) for ref, tree in live.objects.items()}
    world = World({}, parse, configuration.mig_table(), live=objects | {SLICE: slices}, clustered=True)
    users = census(objects, unread, at, parse)
    return Found(world, users, tuple(_definitions(objects)), unread)


def _served(discovery: Discovery) -> Iterator[KindInfo]:
    """The kinds that are watched, each in the version that the API server prefers."""
    first: dict[GroupKind, KindInfo] = {}
    for kind in discovery.kinds().values():
        first.setdefault((kind.group, kind.kind), kind)
    yield from (first[kind] for kind in WATCHED if kind in first)


def _without_server(discovery: Discovery) -> Iterator[tuple[str, str]]:
    """Kinds of API groups whose own server is down."""
    for version, reason in discovery.unavailable.items():
        group = version.rpartition("/")[0]
        yield from ((f"{group}/{kind}", reason) for of, kind in WATCHED if of == group)


def _numbered(tree: Tree) -> Tree:
    """A ResourceSlice with as many devices as it has: a shrunk one tells their sorts."""
    spec = mapping(tree, "spec")
    kept = {key: spec[key] for key in ("driver", "nodeName", "pool") if key in spec}
    return {"spec": kept | {"devices": [{}] * length(spec, "devices")}}


def _definitions(objects: Mapping[GroupKind, Mapping[ObjectRef, Tree]]) -> Iterator[Definition]:
    return (Definition(ref, tree, PLACE) for trees in objects.values() for ref, tree in trees.items())
