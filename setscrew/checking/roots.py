"""Owns what a path holds: charts, kustomizations and files of plain YAML. Looks at names only, reads nothing.

All below a chart is the chart's. A file below a kustomization is the kustomization's, unless a chart has it: what the
kustomization does not name is not deployed. Hidden directories (.git, .github …) hold no manifests.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.render.detect import KUSTOMIZATION_NAMES, MANIFEST_SUFFIXES
from reconciler.render.renderer import work_tree

_CHART: Final = "Chart.yaml"


@dataclass(slots=True)
class Roots:
    """Absolute paths, sorted. `bounds` is the directory out of which nothing is read."""

    bounds: Path
    charts: list[Path] = field(default_factory=list)
    kustomizations: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


def find_roots(path: Path) -> Roots:
    """What `path`, an absolute path that exists, holds. Chart.yaml or a kustomization file stands for its directory."""
    if path.is_file() and path.name in {_CHART, *KUSTOMIZATION_NAMES}:
        path = path.parent
    found = Roots(work_tree(path) or (path if path.is_dir() else path.parent))
    if path.is_file():
        found.files.append(path)
        return found
    for place, directories, names in os.walk(path):
        directory = Path(place)
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        if _CHART in names:
            found.charts.append(directory)
            directories.clear()
        elif not set(names).isdisjoint(KUSTOMIZATION_NAMES):
            found.kustomizations.append(directory)
        elif not any(directory.is_relative_to(one) for one in found.kustomizations):
            found.files += (directory / name for name in sorted(names) if Path(name).suffix in MANIFEST_SUFFIXES)
    return found
