"""Owns keeping what renders gave, by what they read: a commit that changes none of it costs no render.

The key is of content alone: the id of the rendered tree, the ids of what was read outside it, how it is rendered. The
last render of each source is kept in memory, all within a bound on disk, the longest unused let go first. A render that
holds a Secret, or is made with values of one, is not kept on disk: they would lie there in clear.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from reconciler import limits
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.render.spec import RenderResult, RenderSpec

Ids = Callable[[Iterable[str]], Mapping[str, str]]
"""The ids of places in the commit that is rendered, "" where there is none; the place "" is the root."""

# Goes up with each change of what a render gives.
_FORMAT: Final = 1
_SUFFIX: Final = ".json.gz"
_FASTEST: Final = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """One render with the ids of what it read outside its path."""

    outside: Mapping[str, str]
    result: RenderResult


@dataclass(frozen=True, slots=True)
class RenderCache:
    """Kept renders in `directory` (0700), at most `most_bytes` of them. Several threads may use it."""

    directory: Path
    most_bytes: int = limits.RENDER_CACHE_BYTES
    _last: dict[str, tuple[str, Kept]] = field(default_factory=dict)

    def get(self, path: str, spec: RenderSpec, tools: str, ids: Ids) -> RenderResult | None:
        """What a render of `path` gave, if all that it read is as it was; else None.

        `tools` names the renderers. Its objects are those of `spec.source` at `spec.revision`.
        """
        key = _key(path, spec, tools, ids)
        known, kept = self._last.get(spec.source, ("", None))
        if known != key or kept is None:
            kept = self._read(key)
        if kept is None or dict(ids(kept.outside)) != kept.outside:
            return None
        self._last[spec.source] = (key, kept)
        objects = (replace(one, provenance=_placed(one.provenance, spec)) for one in kept.result.objects)
        return replace(kept.result, objects=tuple(objects))

    def put(self, path: str, spec: RenderSpec, tools: str, ids: Ids, result: RenderResult) -> None:
        """Keep a render; on a full disk only in memory."""
        key = _key(path, spec, tools, ids)
        kept = Kept(dict(ids(result.outside)), result)
        self._last[spec.source] = (key, kept)
        if not spec.flux.secrets and not any(one.ref.kind == "Secret" and not one.ref.group for one in result.objects):
            with suppress(OSError):
                self._write(key, kept)

    def _read(self, key: str) -> Kept | None:
        file = self.directory / key
        try:
            kept = _kept(json.loads(gzip.decompress(file.read_bytes())))
            os.utime(file)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, LookupError, TypeError):
            # Damaged: it is made anew.
            with suppress(OSError):
                file.unlink()
            return None
        return kept

    def _write(self, key: str, kept: Kept) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({"outside": kept.outside, "result": _told(kept.result)})
        with tempfile.NamedTemporaryFile(dir=self.directory, delete=False) as stream:
            stream.write(gzip.compress(text.encode(), _FASTEST))
        Path(stream.name).replace(self.directory / key)
        self._trim()

    def _trim(self) -> None:
        files = [(file, file.stat()) for file in self.directory.iterdir()]
        total = sum(facts.st_size for _, facts in files)
        for file, facts in sorted(files, key=lambda pair: pair[1].st_mtime):
            if total <= self.most_bytes:
                return
            file.unlink(missing_ok=True)
            total -= facts.st_size


def _key(path: str, spec: RenderSpec, tools: str, ids: Ids) -> str:
    how = asdict(replace(spec, source="", revision=""))
    said = json.dumps([_FORMAT, tools, path, ids([path])[path], how], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest() + _SUFFIX


def _placed(provenance: Provenance, spec: RenderSpec) -> Provenance:
    return replace(provenance, source=spec.source, revision=spec.revision)


def _told(result: RenderResult) -> dict[str, Any]:
    objects = [[one.tree, msgspec.to_builtins(one.provenance), one.generated] for one in result.objects]
    rest = {"notes": result.notes, "kind": result.kind, "renderer_version": result.renderer_version}
    return {"objects": objects, **rest, "release": result.release, "outside": result.outside}


def _kept(said: Mapping[str, Any]) -> Kept:
    """Raises LookupError, TypeError or ValueError for what was not written by `_write`."""
    result = said["result"]
    objects = tuple(
        RenderedObject(tree, Provenance(**provenance), tuple(generated))
        for tree, provenance, generated in result["objects"]
    )
    tuples = {name: tuple(result[name]) for name in ("notes", "outside")}
    return Kept(said["outside"], RenderResult(**{**result, **tuples, "objects": objects}))
