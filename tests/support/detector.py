"""Owns a reconciler in this process, over one repository and a real cluster, for tests of detection. Must not judge."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reconciler.loop.serve import Clockwork
from reconciler.model.own import API_VERSION
from reconciler.render.spec import RenderTools
from reconciler.store.findings import last_pass, read_findings
from reconciler.store.watched import Watch, read_watch
from setscrew.controlplane import Tools
from setscrew.demo import repository
from setscrew.demo.repository import Repository
from setscrew.options import Options
from setscrew.reconcile import make

SOURCE = "shop"


@dataclass
class Detector:
    """What a `setscrew reconcile` does, begun and ended at will; nothing is registered, all is enforced."""

    directory: Path
    kubeconfig: Path
    tools: Tools
    scan_seconds: float = 3600.0
    repository: Repository = field(init=False)
    _clockwork: Clockwork | None = None
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.repository = repository.create(self.directory / "git")
        spec = {"url": self.repository.url, "ref": {"branch": "main"}, "path": SOURCE, "interval": "2s"}
        spec["render"] = {"kind": "YAML"}
        source = {"apiVersion": API_VERSION, "kind": "GitSource", "metadata": {"name": SOURCE}, "spec": spec}
        (self.directory / "config").mkdir()
        (self.directory / "config" / "source.yaml").write_text(yaml.safe_dump(source))

    def declare(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Have Git say just this."""
        (self.repository.work / SOURCE).mkdir(exist_ok=True)
        (self.repository.work / SOURCE / "all.yaml").write_text(yaml.safe_dump_all(objects))
        self.repository.commit("A change")
        self.repository.push()
        if self._clockwork is not None:
            list(self._clockwork.refresh())

    def start(self) -> Clockwork:
        """Begin as a new process does."""
        options = Options(
            state_dir=self.directory / "state",
            config_dir=self.directory / "config",
            tools=RenderTools(self.tools.path("helm"), self.tools.path("kubectl")),
            kubeconfig=str(self.kubeconfig),
            allow_local=True,
            scan_seconds=self.scan_seconds,
            enforce=True,
        )
        self._clockwork = make(options)
        self._thread = threading.Thread(target=self._clockwork.run, daemon=True)
        self._thread.start()
        return self._clockwork

    def stop(self) -> None:
        """End it."""
        if self._clockwork is not None and self._thread is not None:
            self._clockwork.stop()
            self._thread.join(30)
        self._clockwork = None

    @property
    def running(self) -> Clockwork:
        """The one that was started."""
        assert self._clockwork is not None
        return self._clockwork

    @property
    def findings(self) -> dict[str, str]:
        """State by name of all that is not in sync."""
        found = read_findings(self.running.reconciler.state, limit=10_000)[0]
        return {str(one["name"]): str(one["state"]) for one in found}

    @property
    def watch(self) -> Watch:
        """What was noted of the watch."""
        return read_watch(self.running.reconciler.state)

    @property
    def settled(self) -> bool:
        """Whether the report is about what is enforced now."""
        found = self.running.reconciler
        return bool(found.digest) and last_pass(found.state).snapshot == found.digest
