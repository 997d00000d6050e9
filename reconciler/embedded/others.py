"""Owns the documents of which only lists and durations have a meaning of their own: Kueue, HAMi, AMD. No judging."""

from __future__ import annotations

from typing import Final

from reconciler.embedded.format import EMPTY_MATTERS, SET, Format, each, struct, without_empties
from reconciler.model.tree import ABSENT, Tree, child, dig
from reconciler.policy.model import SemanticRule
from reconciler.schema.semantics import Semantics
from reconciler.schema.types import TypeNode

_DURATIONS: Final = SemanticRule(
    id="duration",
    kinds=("*",),
    paths=("**/*[dD]uration", "**/*[iI]nterval", "**/*[tT]imeout", "**/renewDeadline", "**/retryPeriod", "**/*Period"),
    reason="durations are compared by length",
    meaning="duration",
)
_HAMI_VENDOR: Final = ("resourceCountName", "resourceMemoryName", "deviceSplitCount", "deviceMemoryScaling")


def _is_kueue(tree: Tree) -> bool:
    version = child(tree, "apiVersion")
    return (
        isinstance(version, str)
        and version.startswith("config.kueue.x-k8s.io/")
        and child(tree, "kind") == "Configuration"
    )


def _is_hami(tree: Tree) -> bool:
    if isinstance(child(tree, "nodeconfig"), list):
        return True
    return any(dig(tree, "nvidia", name) is not ABSENT for name in _HAMI_VENDOR)


def _is_amd(tree: Tree) -> bool:
    return isinstance(child(tree, "gpu-config-profiles"), dict)


KUEUE: Final = Format(
    name="kueue",
    title="a configuration of Kueue",
    words=("config.kueue.x-k8s.io/",),
    recognises=_is_kueue,
    types=struct(
        integrations=struct(frameworks=SET, externalFrameworks=SET),
        resources=struct(
            excludeResourcePrefixes=SET,
            deviceClassMappings=TypeNode(list_type="map", keys=("name",), each=struct(deviceClassNames=SET)),
        ),
    ),
    semantics=Semantics((_DURATIONS, EMPTY_MATTERS)),
)
HAMI: Final = Format(
    name="hami",
    title="a configuration of HAMi",
    words=("nodeconfig", *_HAMI_VENDOR),
    recognises=_is_hami,
    normal=without_empties,
    types=struct(nodeconfig=TypeNode(list_type="map", keys=("name",), each=struct(migProfileAllowlist=SET))),
)
AMD: Final = Format(
    name="amd-dcm",
    title="a configuration of AMD's device config manager",
    words=("gpu-config-profiles",),
    recognises=_is_amd,
    normal=without_empties,
    types=struct(gpu_config_profiles=each(struct(skippedGPUs=struct(ids=SET)))),
)
