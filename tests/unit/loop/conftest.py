"""Owns a reconciler over real Git repositories in a temporary directory, without a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.loop.reading import Reader
from reconciler.loop.reconciler import Reconciler
from reconciler.render.spec import RenderTools
from reconciler.report.drift import DEFAULT_CLUSTER
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.spec import GitRef, GitSource
from setscrew.demo import repository
from setscrew.demo.repository import Repository
from tests.support.offline import offline

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {a: %s}\n"
BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: broken\n"
TOOLS = RenderTools(Path("/nonexistent/helm"), Path("/nonexistent/kubectl"))


@dataclass
class Site:
    """Repositories by source name, and what a reconciler over them has said and published."""

    directory: Path
    repositories: dict[str, Repository] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    published: list[MemorySnapshot] = field(default_factory=list)
    cluster: str = DEFAULT_CLUSTER

    def push(self, name: str, text: str) -> str:
        """Commit a manifest of one source; the repository is made at first."""
        if name not in self.repositories:
            self.repositories[name] = repository.create(self.directory / name)
        found = self.repositories[name]
        (found.work / "all.yaml").write_text(text)
        commit = found.commit("A change")
        found.push()
        return commit

    def hide(self, name: str) -> Callable[[], object]:
        """Take a repository away; what is returned brings it back."""
        remote = self.repositories[name].remote
        away = remote.with_name("away.git")
        remote.rename(away)
        return lambda: away.rename(remote)

    def reconciler(self, *names: str, last: MemorySnapshot | None = None) -> Reconciler:
        """A reconciler as a process begins with it, over these sources (none: all)."""
        wanted = names or tuple(self.repositories)
        sources = tuple(
            GitSource(name, self.repositories[name].url, GitRef("branch", "main"), interval=60) for name in wanted
        )
        return offline(
            self.directory,
            sources,
            Reader(TOOLS, self.directory / "mirrors", allow_local=True),
            self.said,
            self.published,
            last,
            self.cluster,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def names(found: Reconciler) -> list[str]:
    """Names of what is enforced."""
    return [] if found.current is None else sorted(entry.object.ref.name for entry in found.current.entries)
