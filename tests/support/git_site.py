"""Owns a reconciler, without a cluster, over repositories that real servers serve. Must not hold cases."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from reconciler.loop.reading import Reader
from reconciler.loop.reconciler import Reconciler
from reconciler.model.own import API_VERSION
from reconciler.render.spec import RenderTools
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.files import SecretFiles
from reconciler.source.spec import GitSource, parse_source
from reconciler.store.sources import SourceStatus
from tests.support.offline import offline

_NO_TOOLS = RenderTools(Path("/nonexistent/helm"), Path("/nonexistent/kubectl"))
_MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: "{value}"}}\n'


@dataclass(slots=True)
class Work:
    """A working copy whose pushes go straight into a bare repository, as the server's own users' would."""

    place: Path
    remote: Path

    @classmethod
    def of(cls, remote: Path, directory: Path) -> Work:
        """A fresh one, on branch `main`."""
        work = cls(directory, remote)
        directory.mkdir(parents=True)
        work.git("init", "--quiet", "--initial-branch=main")
        work.git("remote", "add", "origin", str(remote))
        return work

    def over(self, url: str, user: str, password: str, ca: bytes) -> Self:
        """From now on push by HTTPS, as people do."""
        authority = self.place.with_suffix(".crt")
        authority.write_bytes(ca)
        self.git("config", "http.sslCAInfo", str(authority))
        self.git("remote", "set-url", "origin", url.replace("://", f"://{user}:{password}@"))
        return self

    def git(self, *arguments: str) -> str:
        """Run git; its stdout."""
        identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in
                    (("NAME", "Dana"), ("EMAIL", "dana@example.com"))}  # fmt: skip
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": os.devnull, **identity}
        done = subprocess.run(["git", *arguments], cwd=self.place, env=env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, value: str = "x", names: tuple[str, ...] = ("one",)) -> str:
        """Commit ConfigMaps of these names with this value; the commit."""
        (self.place / "all.yaml").write_text("---\n".join(_MAP.format(name=name, value=value) for name in names))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"Value {value}")
        return self.git("rev-parse", "HEAD")

    def push(self, value: str = "x", names: tuple[str, ...] = ("one",), *, force: bool = False) -> str:
        """Commit and push the branch that is checked out; the commit."""
        commit = self.commit(value, names)
        self.git("push", "--quiet", *(["--force"] if force else []), "origin", "HEAD")
        return commit


@dataclass(slots=True)
class GitSite:
    """`follow` makes a reconciler of sources; `said` is its talk."""

    directory: Path
    said: list[str] = field(default_factory=list)
    published: list[MemorySnapshot] = field(default_factory=list)

    def secret(self, name: str, keys: Mapping[str, bytes]) -> dict[str, str]:
        """Write a Secret; how a source refers to it."""
        place = self.directory / "secrets" / name
        place.mkdir(parents=True, exist_ok=True)
        for key, value in keys.items():
            (place / key).write_bytes(value)
        return {"name": name}

    def follow(self, *sources: GitSource, last: MemorySnapshot | None = None) -> Reconciler:
        """A reconciler of these sources, as a process begins with it."""
        reader = Reader(_NO_TOOLS, self.directory / "mirrors", secrets=SecretFiles(self.directory / "secrets"))
        return offline(self.directory, sources, reader, self.said, self.published, last)


def source(url: str, name: str = "shop", **spec: Any) -> GitSource:
    """A source of a server on this machine."""
    document = {"apiVersion": API_VERSION, "kind": "GitSource", "metadata": {"name": name}}
    return parse_source({**document, "spec": {"url": url, "allowPrivateHosts": True, **spec}})


def status(found: Reconciler, name: str = "shop") -> SourceStatus:
    """How a source is."""
    return found.sources.status[name]


def enforced(found: Reconciler) -> dict[str, str]:
    """The ConfigMaps that are enforced, with their values."""
    entries = found.current.entries if found.current is not None else ()
    wants: list[Any] = [entry.object.want for entry in entries]
    return {want["metadata"]["name"]: want["data"]["a"] for want in wants}
