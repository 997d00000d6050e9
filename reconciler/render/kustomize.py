"""Owns rendering a kustomization: scan, copy what it needs, build with `kubectl kustomize`, parse in the child."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reconciler.errors import RenderError
from reconciler.render import intake, parsing, process
from reconciler.render.detect import KUSTOMIZATION_NAMES, kustomization_file
from reconciler.render.flux import with_common_metadata
from reconciler.render.flux_ignore import SOURCE_IGNORE
from reconciler.render.kustomization import as_json
from reconciler.render.objects import Collector
from reconciler.render.spec import RenderResult, RenderSpec
from reconciler.render.version import kustomize_version

_ORIGINS = "originAnnotations"
# Flux lets files stand outside the directory of their kustomization; the copy holds nothing else than the source.
_LOOSE = ("--load-restrictor=LoadRestrictionsNone",)


def render_kustomize(path: Path, root: Path, spec: RenderSpec, kubectl: Path, home: Path) -> RenderResult:
    """Objects that `path` builds to. Raises RenderError, also for remote bases, plugins and paths out of `root`."""
    copy = home / "render-input"
    entry = str(path.relative_to(root)) if path != root else ""
    flux = spec.flux if spec.tool == "Flux" else None
    scanned = parsing.scan(home, root, entry, spec.kustomize, flux)
    read = {root / file: text for file, text in scanned.written.items()}
    files = scanned.files
    if root == Path(root.anchor):  # not bounded: take what the bases reach
        root, entry, files = _narrow(root, path, files)
    intake.copy([root / file for file in files], root, copy)
    for file in files:
        if root / file in read:
            (copy / file).write_text(read[root / file], "utf-8")
    keep = _write(copy / entry, scanned.kustomization)
    output = build(kubectl, copy, entry, home, where=entry or path.name, options=_LOOSE if flux else ())
    collector = Collector(spec, "kustomize")
    origins = {"root": str(root), "entry": entry, "keep": keep}
    built = [parsing.Input(output, f"output of {entry or path.name}")]
    collector.take(parsing.parse(home, built, origins=origins, substitute=spec.flux.substitute))
    version = kustomize_version(kubectl, home)
    # The directories, since a file that comes to stand beside a base may change what the base is.
    near = {os.path.relpath((root / file).parent, path) for file in files}
    outside = (*intake.beyond(path, root, sorted(near)), *(_ignore_files(path, root) if flux else ()))
    objects = with_common_metadata(collector.objects, spec.flux)
    return RenderResult(tuple(objects), tuple(collector.notes), "kustomize", version, outside=outside)


def build(
    kubectl: Path,
    copy: Path,
    entry: str,
    home: Path,
    *,
    where: str,
    options: Sequence[str] = (),
    secrets: Sequence[str] = (),
) -> Path:
    """The file with what the kustomization in `entry` of the directory `copy` builds to; `where` names it in errors.

    Texts in `secrets` are blotted out of these. Raises RenderError.
    """
    command = [str(kubectl), "kustomize", *options, str(copy / entry)]
    done = process.run(command, home=home, name="kustomize", secrets=secrets)
    if done.status:
        reason = done.stderr.removeprefix("error: ").replace(f"{copy}/", "").replace(str(copy), ".")
        raise RenderError(f"kustomize failed: {_unquoted(reason)}", where=where, code="SS3010")
    return done.output


def _unquoted(reason: str) -> str:
    """Less what kustomize quotes of a patch that it cannot read: there may be a value of a Secret in it."""
    reason = re.sub(r"(with config: )`.*?`", r"\1…", reason, flags=re.DOTALL)
    return re.sub(r"(from \[)(?:patch|path): .*\]", r"\1…]", reason, flags=re.DOTALL)


def _ignore_files(path: Path, root: Path) -> Iterator[str]:
    """Where ignore files of Flux above `path` are, or might come to be."""
    above = (place for place in path.parents if place.is_relative_to(root))
    return (str((place / SOURCE_IGNORE).relative_to(root)) for place in above)


def _narrow(root: Path, path: Path, files: list[str]) -> tuple[Path, str, list[str]]:
    """The nearest directory that holds the entry and every file it needs, with both relative to it."""
    places = [root / file for file in files]
    common = Path(os.path.commonpath([path, *(place.parent for place in places)]))
    entry = "" if path == common else str(path.relative_to(common))
    return common, entry, [str(place.relative_to(common)) for place in places]


def _write(entry: Path, tree: dict[str, Any]) -> bool:
    """Write the kustomization `tree` into the copy, and let it record origins; True when Git asks for that itself.

    Written as JSON, since editing a file of unknown style is not safe; kustomize reads both alike.
    """
    wanted = tree.get("buildMetadata") or []
    entry.mkdir(parents=True, exist_ok=True)
    file = kustomization_file(entry) or entry / KUSTOMIZATION_NAMES[0]
    if not isinstance(wanted, list):
        raise RenderError("buildMetadata is not a list", where=str(file), code="SS3001")
    built = {**tree, "buildMetadata": list(dict.fromkeys([*wanted, _ORIGINS]))}
    file.write_text(as_json(built), "utf-8")
    return _ORIGINS in wanted
