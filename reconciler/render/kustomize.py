"""Owns rendering a kustomization: scan, copy what it needs, build with `kubectl kustomize`, parse in the child."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from reconciler.errors import RenderError
from reconciler.render import intake, parsing, process
from reconciler.render.detect import kustomization_file
from reconciler.render.objects import Collector
from reconciler.render.spec import RenderResult, RenderSpec
from reconciler.render.version import kustomize_version

_ORIGINS = "originAnnotations"


def render_kustomize(path: Path, root: Path, spec: RenderSpec, kubectl: Path, home: Path) -> RenderResult:
    """Objects that `path` builds to. Raises RenderError, also for remote bases, plugins and paths out of `root`."""
    copy = home / "render-input"
    entry = str(path.relative_to(root)) if path != root else ""
    files, tree = parsing.scan(home, root, entry)
    if root == Path(root.anchor):  # not bounded: take what the bases reach
        root, entry, files = _narrow(root, path, files)
    intake.copy([root / file for file in files], root, copy)
    keep = _ask_for_origins(copy / entry, tree)
    done = process.run(
        [str(kubectl), "kustomize", str(copy / entry)],
        home=home,
        name="kustomize",
        environment={"GOMEMLIMIT": "1GiB"},
    )
    if done.status:
        reason = done.stderr.removeprefix("error: ").replace(f"{copy}/", "").replace(str(copy), ".")
        raise RenderError(f"kustomize failed: {reason}", where=entry or path.name, code="SS3010")
    collector = Collector(spec, "kustomize")
    origins = {"root": str(root), "entry": entry, "keep": keep}
    collector.take(
        parsing.parse(home, [parsing.Input(done.output, f"output of {entry or path.name}")], origins=origins)
    )
    version = kustomize_version(kubectl, home)
    return RenderResult(tuple(collector.objects), tuple(collector.notes), "kustomize", version)


def _narrow(root: Path, path: Path, files: list[str]) -> tuple[Path, str, list[str]]:
    """The nearest directory that holds the entry and every file it needs, with both relative to it."""
    places = [root / file for file in files]
    common = Path(os.path.commonpath([path, *(place.parent for place in places)]))
    entry = "" if path == common else str(path.relative_to(common))
    return common, entry, [str(place.relative_to(common)) for place in places]


def _ask_for_origins(entry: Path, tree: dict[str, Any]) -> bool:
    """Make the copy's kustomization record origins; True when Git asks for that itself.

    Written as JSON, since appending to a file of unknown style is not safe; kustomize reads both alike.
    """
    wanted = tree.get("buildMetadata") or []
    file = kustomization_file(entry)
    if file is None or not isinstance(wanted, list):
        raise RenderError("buildMetadata is not a list", where=str(file), code="SS3001")
    if _ORIGINS in wanted:
        return True
    file.write_text(json.dumps({**tree, "buildMetadata": [*wanted, _ORIGINS]}))
    return False
