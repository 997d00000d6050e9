"""Owns which rows of the table of GPU classes an object is. Must not say who uses it.

Rows for ConfigMaps, and for Nodes, are told apart by their ids: these the files in policies/gpu must keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.embedded.document import documents_in
from reconciler.embedded.parser import Parser
from reconciler.gpu.dra.requests import HOLDERS, opaques
from reconciler.gpu.mig.maps import is_generated
from reconciler.gpu.operator_maps import CONFIG_MAP, NODE, entries, keys
from reconciler.gpu.tolerant import mapping
from reconciler.gpu.users.labels import SELECTING
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import Tree
from reconciler.policy.model import GpuClass, Rules

_BY_FORMAT: Final = {"mig-parted": "mig-layouts", "device-plugin": "device-plugin-config"}
_OTHERS: Final = "other-configs"
# Documents of operators that no rule reads, by the names under which their charts put them.
_FILES: Final = frozenset({"clients.yaml", "dcgm-metrics.csv", "device-config.yaml"})
_WORDS: Final = ("mig-configs", "vgpu-configs")
_REPORTING: Final = ("nvidia.com/", "feature.node.kubernetes.io/pci-10de")


def rows_of(rules: Rules, ref: ObjectRef, tree: Tree, parse: Parser) -> tuple[GpuClass, ...]:
    """The rows that an object is, as it is written; () for none. Never raises for a tree."""
    name = f"{ref.group}/{ref.kind}" if ref.group else ref.kind
    rows = [row for row in rules.gpu_classes if name in row.kinds]
    if not rows:
        return ()
    if (ref.group, ref.kind) in (CONFIG_MAP, NODE):
        ids = set(_config_map(tree, parse) if ref.kind == "ConfigMap" else _node(tree))
        return tuple(row for row in rows if row.id in ids)
    configured = (ref.group, ref.kind) in HOLDERS and any(True for _ in opaques(ref, tree))
    return tuple(row for row in rows if row.mode != "payload" or configured)


def _config_map(tree: Tree, parse: Parser) -> Iterator[str]:
    if is_generated(tree):
        return
    documents, _ = documents_in(tree, CONFIG_MAP[1], parse)
    yield from (_BY_FORMAT.get(document.format, _OTHERS) for document in documents.values())
    unread = [held for key, held in entries(tree).items() if ("data", key) not in documents]
    if any(_WORDS[0] in held for held in unread):  # it cannot be parsed; mig-parted is about to find out
        yield _BY_FORMAT["mig-parted"]
    if not _FILES.isdisjoint(keys(tree)) or any(_WORDS[1] in held for held in unread):
        yield _OTHERS


def _node(tree: Tree) -> Iterator[str]:
    labels = mapping(tree, "metadata", "labels")
    if not labels.keys().isdisjoint(SELECTING):
        yield "node-selection"
    if any(name.startswith(_REPORTING) and name not in SELECTING for name in labels):
        yield "node-report"
    if any(name.startswith(_REPORTING) for name in mapping(tree, "status", "capacity")):
        yield "node-capacity"
