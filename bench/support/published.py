"""Owns the published sources that are measured where they are at hand. Must not time anything.

They are at $SETSCREW_CORPUS, or in shared/corpus beside the checkout.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.model.objects import RenderedObject
from reconciler.render.renderer import render
from reconciler.render.spec import RenderSpec
from setscrew.cli.common import tools

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
CORPUS: Final = Path(os.environ.get("SETSCREW_CORPUS") or _REPOSITORY.parent / "shared" / "corpus")


def published() -> list[RenderedObject]:
    """The objects of all entries of corpus.yaml; none where there is no such file, or no tool to render them."""
    listing = CORPUS / "corpus.yaml"
    if not listing.is_file():
        return []
    try:
        return [one for entry in yaml.safe_load(listing.read_text())["entries"] for one in _rendered(entry)]
    except FileNotFoundError:
        return []


def _rendered(entry: dict[str, Any]) -> tuple[RenderedObject, ...]:
    spec = RenderSpec(
        namespace=entry["namespace"], values=entry.get("values", {}), recurse=True, source=str(entry["name"])
    )
    return render(CORPUS / entry["path"], spec, tools()).objects
