"""Owns repositories that nobody's git would make, and a reconciler that follows one of them beside an honest one.

Trees are written into the bare repository object by object, so that any name, mode and link can stand in them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from reconciler.loop.reading import Reader
from reconciler.loop.reconciler import Reconciler
from reconciler.render.spec import RenderTools
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.spec import GitRef, GitSource
from reconciler.store.sources import SourceStatus
from tests.support.offline import offline

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {value: '%s'}\n"
_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Dana"), ("EMAIL", "dana@example.com"))
}


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True, slots=True)
class Submodule:
    """A commit of another repository."""

    commit: str = "ab" * 20


Node: TypeAlias = "str | bytes | Link | Submodule | Mapping[str, Node]"


@dataclass(frozen=True, slots=True)
class Bare:
    """A bare repository that is pushed to by writing into it."""

    place: Path

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """What git prints. Raises CalledProcessError."""
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": os.devnull, **_WHO}
        command = ["git", "-C", str(self.place), *arguments]
        return subprocess.run(command, env=env, input=stdin, capture_output=True, check=True).stdout.decode().strip()

    def push(self, tree: Mapping[str, Node], on: str = "") -> str:
        """Make `main` a commit with this tree, that follows `on` (nothing: what `main` is); gives its id."""
        _, oid = self._written(tree)
        tip = on or self.git("for-each-ref", "--format=%(objectname)", "refs/heads/main")
        commit = self.git("commit-tree", oid, "-m", "A change", *(["-p", tip] if tip else []))
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def _written(self, node: Node) -> tuple[str, str]:
        """Mode and id of a node, once it is in the repository."""
        if isinstance(node, Submodule):
            return "160000", node.commit
        if isinstance(node, Link):
            return "120000", self._object("blob", os.fsencode(node.target))
        if isinstance(node, str | bytes):
            return "100644", self._object("blob", node.encode() if isinstance(node, str) else node)
        below = {name: self._written(one) for name, one in node.items()}
        rows = sorted((os.fsencode(name + "/" * (mode == "40000")), mode, oid) for name, (mode, oid) in below.items())
        entries = (
            mode.encode() + b" " + name.removesuffix(b"/") + b"\0" + bytes.fromhex(oid) for name, mode, oid in rows
        )
        return "40000", self._object("tree", b"".join(entries))

    def _object(self, kind: str, data: bytes) -> str:
        return self.git("hash-object", "-t", kind, "-w", "--stdin", "--literally", stdin=data)


@dataclass(slots=True)
class World:
    """A repository `shop` in whose `app` anything may stand, and an honest one, `other`. Both are followed."""

    directory: Path
    tools: RenderTools
    said: list[str] = field(default_factory=list)
    published: list[MemorySnapshot] = field(default_factory=list)
    shop: Bare = field(init=False)
    other: Bare = field(init=False)
    reconciler: Reconciler = field(init=False)
    good: str = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self.shop, self.other = (self._bare(name) for name in ("shop", "other"))
        self.reconciler = offline(
            self.directory,
            (),
            Reader(self.tools, self.directory / "mirrors", allow_local=True),
            self.said,
            self.published,
        )
        self.follow()
        self.good = self.shop.push({"app": {"good.yaml": MAP % ("good", "1")}})
        self.go_on()

    def follow(self, **fields: Any) -> None:
        """Follow `shop` with these fields of a source."""
        ref = GitRef("branch", "main")
        shop = GitSource("shop", str(self.shop.place), **{"ref": ref, "path": "app", "interval": 60, **fields})
        other = GitSource("other", str(self.other.place), ref=ref, interval=60)
        self.reconciler.sources.follow((shop, other))

    def push(self, tree: Mapping[str, Node]) -> str:
        """Push to `shop`, on top of what is good, and look at both sources; gives the commit."""
        commit = self.shop.push(tree, self.good)
        self.go_on()
        return commit

    def take_back(self) -> None:
        """What was pushed to `shop` is taken back, and looked at."""
        self.shop.git("update-ref", "refs/heads/main", self.good)
        self.go_on()

    def go_on(self) -> None:
        """An honest push to `other`, and a look at both."""
        self._count += 1
        self.other.push({"map.yaml": MAP % ("honest", self._count)})
        self.reconciler.sync()

    @property
    def status(self) -> SourceStatus:
        """How `shop` is."""
        return self.reconciler.sources.status["shop"]

    def enforced(self) -> dict[str, str]:
        """The values of all maps that are enforced, by name."""
        snapshot = self.reconciler.current
        assert snapshot is not None
        trees = {entry.object.ref.name: entry.object.want for entry in snapshot.entries}
        return {name: tree["data"]["value"] for name, tree in trees.items()}

    @property
    def count(self) -> str:
        """What the honest repository says now."""
        return str(self._count)

    def _bare(self, name: str) -> Bare:
        place = self.directory / f"{name}.git"
        place.mkdir(parents=True)
        found = Bare(place)
        found.git("init", "--quiet", "--bare", "--initial-branch=main")
        return found
