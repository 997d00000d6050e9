"""Owns the three ways into Git: fields of an object, an object that Git lacks, one that is gone. Each is proved.

Must not print or write: what comes out are files before and after, and what to say about them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from reconciler.canonical.volatile import is_secret
from reconciler.compare.comparison import Change
from reconciler.model.path import Path, readable
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, strict_equal
from reconciler.render.detect import KUSTOMIZATION_NAMES, detect
from reconciler.render.embedded_loader import load_embedded
from reconciler.report.item import drift_item
from reconciler.report.scope import drift_of
from reconciler.snapshot.model import Entry, MemorySnapshot, SnapshotView
from setscrew.into_git import emit
from setscrew.into_git.hidden import hidden_values
from setscrew.into_git.patch import FileChange
from setscrew.into_git.proof import Proof, also_changed
from setscrew.into_git.tree import Files, SourceTree, by_ref
from setscrew.into_git.wanted import adopted, cleaned
from setscrew.into_git.written import NotAdoptableError, Place, find, value_at

_SHOWN: Final = 10
_OTHERWISE: Final = "the instance renders this source otherwise: give --config, the directory that `setscrew run` has"
_UNSHOWN: Final = "values of Secrets are never printed or committed: write it into Git yourself, encrypted"


@dataclass(slots=True)
class Adoption:
    """Files before and after, by name; `paths` are the fields that are adopted, `remarks` what else to say.

    `secret_lines` are lines of the old files that hold values of Secrets.
    """

    files: dict[str, FileChange] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    secret_lines: dict[str, set[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IntoGit:
    """Adopts from one source; `snapshot` is what is enforced, `tree` holds the files that it was made of."""

    snapshot: SnapshotView
    tree: SourceTree
    proof: Proof

    def fields(self, entry: Entry, live: dict[str, Any], now: Any) -> Adoption:
        """The drifted fields of a declared object; nothing where none differs. Raises NotAdoptableError."""
        ref = entry.ref
        found = drift_of(entry, live, _whole(entry, self.snapshot), load_embedded)
        if not found.changes:
            return Adoption()
        shown = drift_item(entry, found, live, now=now).changes
        masked = next((one.field for one in shown if one.masked), "")
        where = entry.object.provenance.place
        if is_secret(live) or masked:
            raise NotAdoptableError(f"{masked or ref} holds what may be secret", where=where, hint=_UNSHOWN)
        if len(shown) < len(found.changes):
            hint = "write it into Git by hand"
            raise NotAdoptableError("it differs in more places than a report lists", where=where, hint=hint)
        objects = self.tree.objects()
        one = by_ref(objects, self.proof.namespace, ref)
        base = self.proof.entry(objects, ref)
        if one is None or base is None or not _agree(base, found.changes):
            raise NotAdoptableError(f"{ref} is not what its files render to here", hint=_OTHERWISE)
        place = self._place(one.provenance.file, one.provenance.line, one.provenance.generator)
        new = adopted(place, one.tree, found.changes, live, one.provenance.generator)
        # A list without keys comes as a whole, with more than has changed of it.
        if Counter(hidden_values(new)) - Counter(hidden_values(place.tree)):
            raise NotAdoptableError(f"{ref} holds what may be secret", where=where, hint=_UNSHOWN)
        files = {place.file: place.changed(new)}
        adoption = self._made(files, [place])
        adoption.paths = [readable(change.place) for change in found.changes]
        adoption.remarks += self._proved(files, objects, ref, live, [change.place for change in found.changes])
        return adoption

    def whole(self, ref: ObjectRef, live: dict[str, Any]) -> Adoption:
        """An object that Git does not declare, as a file of its own. Raises NotAdoptableError."""
        tree = cleaned(live)
        if is_secret(live) or hidden_values(tree):
            raise NotAdoptableError(f"{ref} holds what may be secret", hint=_UNSHOWN)
        kind, path = detect(self.tree.root / self.tree.state.path), PurePosixPath(self.tree.state.path)
        if kind == "helm":
            hint = "write a template for it"
            raise NotAdoptableError("a chart takes no plain objects", where=str(path), hint=hint)
        name = re.sub(r"[^a-z0-9.-]+", "-", f"{ref.kind.lower()}-{ref.name}") + ".yaml"
        file = str(path / name)
        if (self.tree.root / file).exists():
            raise NotAdoptableError("there is such a file already", where=file, hint="write it into Git by hand")
        files: dict[str, str | None] = {file: "\n".join(emit.block(tree, 0, 0)) + "\n"}
        places = []
        if kind == "kustomize":
            places.append(self._listed(path, name, there=True))
            files[places[0].file] = _resources(places[0], name, there=True)
        adoption = self._made(files, places)
        adoption.paths = [str(ref)]
        adoption.remarks += self._proved(files, self.tree.objects(), ref, live, [])
        return adoption

    def gone(self, entry: Entry) -> Adoption:
        """The removal of an object that is not in the cluster. Raises NotAdoptableError."""
        ref, objects = entry.ref, self.tree.objects()
        one = by_ref(objects, self.proof.namespace, ref)
        if one is None:
            raise NotAdoptableError(f"{ref} is not what its files render to here", hint=_OTHERWISE)
        place = self._place(one.provenance.file, one.provenance.line, one.provenance.generator)
        if one.provenance.generator == "helm":
            hint = "take it out of the template, or switch it off in the values"
            raise NotAdoptableError("a template makes it", where=one.provenance.place, hint=hint)
        files: dict[str, str | None] = {place.file: place.removed() or None}
        places = [place]
        if files[place.file] is None and one.provenance.generator == "kustomize":
            file = PurePosixPath(place.file)
            places.append(self._listed(file.parent, file.name, there=False))
            files[places[1].file] = _resources(places[1], file.name, there=False)
        adoption = self._made(files, places)
        adoption.paths = [str(ref)]
        with self.tree.with_files(files):
            after = self.tree.objects()
        if by_ref(after, self.proof.namespace, ref) is not None or len(after) != len(objects) - 1:
            hint = "take it out of Git by hand"
            raise NotAdoptableError(f"without that text, more or less than {ref} would go", where=place.file, hint=hint)
        adoption.remarks += _others(also_changed(objects, after, ref))
        return adoption

    def _place(self, file: str, line: int, generator: str) -> Place:
        is_template = generator == "helm" and "/templates/" in f"/{file}"
        return find(file, self.tree.read(file), line, is_template=is_template)

    def _listed(self, directory: PurePosixPath, name: str, *, there: bool) -> Place:
        """The kustomization that names the files of a directory."""
        for one in KUSTOMIZATION_NAMES:
            file = str(directory / one)
            if (self.tree.root / file).is_file():
                return find(file, self.tree.read(file), 0)
        verb = "names" if not there else "could name"
        raise NotAdoptableError(f"no kustomization {verb} {name}", where=str(directory), hint="change it by hand")

    def _made(self, files: Files, places: Sequence[Place]) -> Adoption:
        out = Adoption()
        for name, new in files.items():
            path = self.tree.root / name
            out.files[name] = FileChange(path.read_text("utf-8") if path.is_file() else None, new)
            if not PurePosixPath(name).is_relative_to(self.tree.state.path or "."):
                out.remarks.append(f"{name} lies outside {self.tree.state.path}: other sources may be made of it, too")
        for place in places:
            out.secret_lines[place.file] = place.secret_lines()
        return out

    def _proved(self, files: Files, before: Any, ref: ObjectRef, live: Tree, places: Sequence[Path]) -> list[str]:
        """Raises NotAdoptableError if live would still differ from what the changed files say; remarks."""
        with self.tree.with_files(files):
            objects = self.tree.objects()
        found = self.proof.compared(objects, ref, live)
        if found is None:
            message = f"with that text Git would not declare {ref}, or nothing would guard it"
            raise NotAdoptableError(message, hint="write it into Git by hand")
        open_still = [change for change in found.undecided if any(_around(change.place, one) for one in places)]
        left = [readable(change.place) for change in (*found.changes, *open_still)]
        if left:
            fields = ", ".join(left[:_SHOWN])
            message = f"with that text {ref} would still differ from what is live: {fields}"
            raise NotAdoptableError(message, hint="something else of the source says otherwise: change it there")
        return _others(also_changed(before, objects, ref))


def _resources(place: Place, name: str, *, there: bool) -> str:
    """The kustomization with or without a file among its resources."""
    tree = place.tree
    listed = [one for one in tree.get("resources") or [] if PurePosixPath(str(one)) != PurePosixPath(name)]
    return place.changed({**tree, "resources": [*listed, name] if there else listed})


def _agree(base: Entry, changes: Sequence[Change]) -> bool:
    """Whether Git says here what it says to the instance, as far as anything differs from it."""
    pairs = [(value_at(base.object.want, change.place), change.desired) for change in changes if change.inside is None]
    return all(here is ABSENT or there is ABSENT or strict_equal(here, there) for here, there in pairs)


def _around(place: Path, other: Path) -> bool:
    short = min(len(place), len(other))
    return place[:short] == other[:short]


def _others(found: Sequence[str]) -> list[str]:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"this changes other objects as well: {', '.join(found[:_SHOWN])}{more}"] if found else []


def _whole(entry: Entry, snapshot: SnapshotView) -> MemorySnapshot:
    return MemorySnapshot((entry,), snapshot.rules, snapshot.sources, snapshot.secret_key)
