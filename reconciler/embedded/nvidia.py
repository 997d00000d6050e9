"""Owns the documents that the GPU operator hands to its parts beside layouts and sharing. Must not judge them.

vGPU layouts (vgpu-device-manager), services that hold GPUs (mig-parted), metrics of dcgm-exporter.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from reconciler.embedded.format import EMPTY_MATTERS, SET, Format, changed, each, nulls_said, struct
from reconciler.embedded.mig_parted import by_name, counts, filters
from reconciler.limits import EMBEDDED_LOOP_BYTES
from reconciler.model.tree import Tree, child
from reconciler.schema.semantics import Semantics

_RECORD: Final = ("type", "help")


def _vgpu(tree: Tree) -> Tree:
    """A field too many, were it null, makes the device manager refuse the whole document."""
    return nulls_said(changed(tree, "vgpu-configs", partial(by_name, entry=_entry)))


def _entry(entry: Tree) -> Tree:
    return changed(changed(entry, "device-filter", filters), "vgpu-devices", counts)


def read_metrics(text: str) -> Tree:
    """Metrics by the name of their field, from lines of name, type, help. Raises ValueError as the exporter would.

    Quoted values, and files longer than anybody writes, are left to it: admission reads this between two reviews.
    """
    if len(text) > EMBEDDED_LOOP_BYTES:
        raise ValueError(f"longer than {EMBEDDED_LOOP_BYTES} characters")
    found: dict[str, Tree] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line or line.startswith("#"):
            continue
        name, *values = (one.strip(" ") for one in line.split(","))
        if len(values) != len(_RECORD) or '"' in line:
            raise ValueError(f"no metric of three values (line {number})")
        if name in found:
            raise ValueError(f"a metric stands there twice (line {number})")
        found[name] = dict(zip(_RECORD, values, strict=True))
    return found


def _is_metrics(tree: Tree) -> bool:
    return isinstance(tree, dict) and any(name.startswith(METRICS.words) for name in tree)


VGPU: Final = Format(
    name="vgpu",
    title="a vGPU layout file",
    words=("vgpu-configs",),
    recognises=lambda tree: isinstance(child(tree, "vgpu-configs"), dict),
    normal=_vgpu,
    types=struct(vgpu_configs=each(each(struct(device_filter=SET, devices=SET)))),
    semantics=Semantics((EMPTY_MATTERS,)),
    closed=True,
)
CLIENTS: Final = Format(
    name="gpu-clients",
    title="a list of services that use GPUs",
    words=("systemd-services",),
    recognises=lambda tree: isinstance(child(tree, "systemd-services"), list),
)
METRICS: Final = Format(
    name="dcgm-metrics",
    title="a list of metrics of the DCGM exporter",
    words=("DCGM_FI_", "DCGM_EXP_"),
    recognises=_is_metrics,
    reader=read_metrics,
    closed=True,
)
