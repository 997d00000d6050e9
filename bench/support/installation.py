"""Owns one running `setscrew run` without a cluster, its repository and its receiver, for benchmarks. No figures."""

from __future__ import annotations

import io
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from reconciler.render.spec import RenderTools
from setscrew.controlplane import ensure
from setscrew.controlplane.ports import free_ports
from setscrew.demo import hook, repository
from setscrew.demo.repository import Repository
from setscrew.demo.stage import document
from support.machine import cpu_seconds
from support.repository import fill
from webhook.server.feed import Feed

_PATIENCE_SECONDS = 600.0
_DIGEST = re.compile(r'setscrew_admission_snapshot_info\{digest="([0-9a-f]+)"\} 1')


class Installation:
    """Use as a context manager: on entry it enforces its first snapshot, which took `began_in` seconds."""

    def __init__(self, directory: Path, sources: int, apps: int) -> None:
        found = ensure(["kubectl", "helm"])
        self.tools = RenderTools(found.path("helm"), found.path("kubectl"))
        self.directory = directory
        self.repository: Repository = repository.create(directory / "git")
        self.sources = fill(self.repository.work, sources, apps)
        self.began_in = 0.0
        self._head = self.commit("Desired state")
        self._ports = free_ports(3)
        self._secret = directory / "secret"
        self._secret.touch(0o600)
        self._secret.write_text(secrets.token_hex(32))
        self._feed = Feed(self._state / "snapshots" / "current.json")

    def __enter__(self) -> Self:
        admission, api, metrics = (f"127.0.0.1:{port}" for port in self._ports)
        command = [
            sys.executable,
            "-m",
            "setscrew",
            "run",
            "--state",
            str(self._state),
            "--config",
            str(self._config()),
        ]
        command += ["--listen-admission", admission, "--listen-api", api, "--listen-metrics", metrics]
        command += ["--no-register", "--enforce", "--allow-local-sources"]
        path = os.pathsep.join([str(self.tools.helm.parent), str(self.tools.kubectl.parent), os.environ["PATH"]])
        began = time.monotonic()
        with (self.directory / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": path})
        try:
            self.wait_for(self._head)
        except BaseException:
            self._end()
            raise
        self.began_in = time.monotonic() - began
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def commit(self, subject: str) -> str:
        """Commit all of the working copy and push it, without telling anybody."""
        commit = self.repository.commit(subject)
        self.repository.push()
        return commit

    def tell_receiver(self, commit: str) -> None:
        """Send the push event, signed."""
        url = f"http://127.0.0.1:{self._ports[1]}/hooks/v1/deploy"
        before, sys.stdin = sys.stdin, io.StringIO(f"{'0' * 40} {commit} refs/heads/main\n")
        try:
            hook.main(url, str(self._secret), self.repository.url)
        finally:
            sys.stdin = before

    def wait_for(self, commit: str) -> None:
        """Wait until all sources are enforced at `commit` and the admission server uses that snapshot."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (self._published(commit) and self._is_used()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.directory / "log").read_text()[-3000:])
            time.sleep(0.01)

    def poll_cpu(self, times: int) -> float:
        """CPU seconds of the reconciler's own process for one look at Git that finds nothing new."""
        pid = self._reconciler()
        found = []
        for _ in range(times):
            before = cpu_seconds([pid])
            self._look()
            found.append(cpu_seconds([pid]) - before)
        return sorted(found)[len(found) // 2]

    def most_memory(self) -> float:
        """The most that the reconciler's process has held so far, in MiB."""
        text = Path(f"/proc/{self._reconciler()}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]

    @property
    def _state(self) -> Path:
        return self.directory / "state"

    def _published(self, commit: str) -> bool:
        """Whether the newest snapshot is that of `commit`.

        Whoever waits shares the cores with what is measured, so a snapshot is read once.
        """
        self._feed.poll()
        snapshot = self._feed.current()
        if snapshot is None or len(snapshot.sources) < len(self.sources):
            return False
        return all(source.commit == commit for source in snapshot.sources.values())

    def _is_used(self) -> bool:
        """Whether every worker judges by the newest snapshot."""
        snapshot = self._feed.current()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[2]}/metrics", timeout=5) as answer:
                used = _DIGEST.findall(answer.read().decode())
        except OSError:
            return False
        return snapshot is not None and bool(used) and all(snapshot.digest.startswith(one) for one in used)

    def _look(self) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._state / "reconciler.sock"))
            client.sendall(b'{"source": "team-0"}\n')
            while client.recv(65536):
                pass

    def _reconciler(self) -> int:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return next(int(one) for one in children if b"reconcile\0" in Path(f"/proc/{one}/cmdline").read_bytes())

    def _config(self) -> Path:
        config = self.directory / "config"
        config.mkdir()
        documents = [
            document(
                "GitSource", name, {"url": self.repository.url, "ref": {"branch": "main"}, "interval": "1h", **spec}
            )
            for name, spec in self.sources.items()
        ]
        documents.append(
            document("Receiver", "deploy", {"provider": "github", "secretFile": str(self._secret), "sources": ["*"]})
        )
        (config / "setscrew.yaml").write_text(yaml.safe_dump_all(documents))
        return config

    def _end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
