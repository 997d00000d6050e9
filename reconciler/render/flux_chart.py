"""Owns what Flux's source-controller changes in a chart when it packs it: its defaults, its version. On copies only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.render.flux import Flux


def pack(chart: Path, described: Mapping[str, Any], flux: Flux) -> None:
    """Make the copied `chart`, whose Chart.yaml says `described`, what Flux would hand to Helm.

    Values files stand in place of `values.yaml`; the version gets a suffix, which labels show.
    """
    if flux.replaces_defaults:
        (chart / "values.yaml").write_text("{}")
    if flux.version_suffix:
        version = str(described.get("version")).partition("+")[0]
        changed = {**described, "version": f"{version}+{flux.version_suffix}"}
        (chart / "Chart.yaml").write_text(json.dumps(changed))
