"""Owns reading the classes that a path declares, rendered as `setscrew check` renders it. Must not need a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Final

from reconciler.canonical.engine import Context, UnknownKindError, located
from reconciler.gpu.operator_maps import NODE
from reconciler.gpu.tolerant import mapping
from reconciler.gpu.users.census import census
from reconciler.gpu.users.labels import GPU_PRESENT, MIG_CONFIG, PLUGIN_CONFIG
from reconciler.gpu.users.shrink import shrink
from reconciler.gpu.world import GroupKind, World, by_kind
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from reconciler.policy.model import Rules
from reconciler.render.embedded_loader import load_embedded
from setscrew import configuration
from setscrew.checking.finding import Shown
from setscrew.checking.gathering import Gathering, Options
from setscrew.checking.rendering import Declared
from setscrew.checking.roots import find_roots
from setscrew.cli.common import offline_context
from setscrew.gpu.model import Definition, Found

# Also where the chart only wants a value, for which a check has but a warning: its classes and users are not seen.
_HELM_FAILED: Final = "SS3011"


def read_path(options: Options, rules: Rules, at: str) -> Found:
    """What `options.path` declares; users are those in the same files. Raises ToolMissingError, UsageError."""
    parse = cache(load_embedded)
    roots = find_roots(options.path.absolute())
    gathering = Gathering(options, roots)
    gathering.plain(roots.files)
    gathering.render()
    objects = [one.rendered for one in gathering.declared]
    context = offline_context(rules, [*objects, *options.context], namespace=options.spec.namespace)
    shown = Shown(options.path)
    declared = [(_settled(one.rendered, context, one.namespace), one) for one in gathering.declared]
    definitions = tuple(Definition(one.ref, one.tree, _place(at, shown)) for one, at in declared)
    others = [_settled(one, context, "").tree for one in options.context]
    trees = [one.tree for one in definitions]
    world = World(by_kind(trees), parse, configuration.mig_table(more=gathering.profiles), live=by_kind(others))
    lost = [one for one in gathering.findings if one.severity == "error" or one.rule == _HELM_FAILED]
    unread = {f"{one.file}:{one.line}": one.message for one in lost}
    unseen = {"*": f"{next(iter(unread))} cannot be read"} if unread else {}
    users = census(_shrunk([*trees, *others]), unseen, at, parse)
    return Found(world, users, definitions, unread)


def _settled(one: RenderedObject, context: Context, namespace: str) -> RenderedObject:
    """The object in its namespace; one of a kind that nobody knows stays as it is."""
    try:
        placed, _ = located(one, replace(context, namespace=namespace or context.namespace))
    except UnknownKindError:
        return one
    return placed


def _place(one: Declared, shown: Shown) -> str:
    return f"{shown.name(one.file)}:{one.line}" if one.line else shown.name(one.file)


def _shrunk(trees: Iterable[Tree]) -> dict[GroupKind, dict[ObjectRef, Tree]]:
    found = {kind: {ref: shrink(*kind, tree) for ref, tree in some.items()} for kind, some in by_kind(trees).items()}
    return found | {NODE: {ref: _with_gpus(tree) for ref, tree in found.get(NODE, {}).items()}}


def _with_gpus(node: Tree) -> Tree:
    """Git declares only a part of a Node: one whose layout or sharing it chooses has GPUs."""
    labels = mapping(node, "metadata", "labels")
    if not {MIG_CONFIG, PLUGIN_CONFIG} & labels.keys():
        return node
    return {**node, "metadata": {**node["metadata"], "labels": {GPU_PRESENT: "true", **labels}}}
