"""Owns a source on disk with a snapshot made of it, for tests of what comes into Git. Must not need a cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from reconciler.model.ref import ObjectRef
from reconciler.render.spec import RenderSpec, RenderTools
from reconciler.snapshot.model import Entry, SnapshotView, SourceState
from reconciler.store.schema_data import load_builtin
from setscrew import configuration
from setscrew.into_git.adopting import Adoption, IntoGit
from setscrew.into_git.patch import unified
from setscrew.into_git.proof import Proof
from setscrew.into_git.tree import SourceTree

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
NO_TOOLS: Final = RenderTools(Path("helm"), Path("kubectl"))
rules, builtin = cache(lambda: configuration.load(None).rules), cache(load_builtin)


class Site:
    """A directory that stands for the enforced commit, `deploy` the path of its source; live is at first so."""

    def __init__(
        self, root: Path, files: Mapping[str, str], tools: RenderTools = NO_TOOLS, path: str = "deploy"
    ) -> None:
        self.root = root
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        state = SourceState("shop", "https://git.example.com/shop.git", path, "main", "c" * 40)
        self.tree = SourceTree(root, state, RenderSpec(source="shop", namespace="shop"), tools)
        self.objects = self.tree.objects()
        # Stands for a snapshot of which only rules and key are asked.
        bare = cast("SnapshotView", SimpleNamespace(rules=rules(), secret_key=b"k" * 32))
        self.snapshot = Proof(bare, (builtin(),), "shop").snapshot_of(self.objects)
        self.into = IntoGit(self.snapshot, self.tree, Proof(self.snapshot, (builtin(),), "shop"))

    def live(self, name: str) -> dict[str, Any]:
        """The object of that name as it would be live if nobody had touched it."""
        found: dict[str, Any] = deepcopy(next(one.tree for one in self.objects if one.ref.name == name))
        return {**found, "metadata": {"namespace": "shop", **found["metadata"]}}

    def entry(self, kind: str, name: str, group: str = "") -> Entry:
        """What is guarded of that name."""
        found = self.snapshot.by_ref(ObjectRef(group, kind, "shop", name))
        assert found is not None
        return found

    def adopt(self, live: dict[str, Any]) -> Adoption:
        """What Git must say of it. Raises NotAdoptableError."""
        group, metadata = live["apiVersion"].rpartition("/")[0], live["metadata"]
        ref = ObjectRef(group, live["kind"], metadata.get("namespace", ""), metadata["name"])
        entry = self.snapshot.by_ref(ref)
        return self.into.whole(ref, live) if entry is None else self.into.fields(entry, live, NOW)

    def applied(self, adoption: Adoption) -> list[str]:
        """Apply the patch as git takes it; gives its lines that add or remove."""
        patch = unified(adoption.files)
        command = ["git", "apply", "--whitespace=nowarn", "-"]
        done = subprocess.run(command, cwd=self.root, input=patch, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + patch
        for name, change in adoption.files.items():
            path = self.root / name
            assert (path.read_text() if path.exists() else None) == change.new
        return [row for row in patch.split("\n") if row[:1] in ("+", "-") and row[:3] not in ("+++", "---")]
