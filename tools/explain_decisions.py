"""Play the commands of docs/decisions-explained.md on a real control plane and write the real answers into the page.

    python tools/explain_decisions.py

The page is the script: a line such as **dana**, answered `drift`: names who types what stands in the block below it, where
`$ ` begins a command and `> ` continues it. What was printed and the decision's code are written anew; the words around
them stay. tests/integration/test_decisions_explained.py plays the page again and compares.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from reconciler.gpu.users import published  # noqa: E402
from setscrew.demo import story  # noqa: E402
from setscrew.demo.stage import Stage  # noqa: E402

PAGE = ROOT / "docs" / "decisions-explained.md"
EXAMPLE = re.compile(
    r"^\*\*(?P<who>[\w-]+)\*\*, answered (?P<code>`[\w-]+`|without a record):\n\n```console\n"
    r"(?P<command>\$ .*\n(?:> .*\n)*)(?P<output>(?:(?!```).*\n)*)```$",
    re.MULTILINE,
)
UNRECORDED = "without a record"
# Tokens of the cluster's own machinery, as its controllers use them.
ACCOUNTS = {"hpa": ("kube-system", "horizontal-pod-autoscaler")}
# What differs from run to run, and what the page says in its place.
PLAIN = (
    (re.compile(r"file://\S+?\.git"), "https://git.example.com/platform/deploy.git"),
    (re.compile(r"\bat [0-9a-f]{12}\b"), "at 6e90c9906014"),
    (re.compile(r"\brevision [0-9a-f]{12}\b"), "revision 6e90c9906014"),
    (re.compile(r"\bdana-\d{4}-\d{4}-[0-9a-f]{4}\b"), "dana-1122-0855-4f1c"),
    (re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "2026-11-22T09:55:00Z"),
)
POLICIES = """\
apiVersion: setscrew.dev/v1alpha1
kind: DriftPolicy
metadata: {name: settings}
spec:
  priority: 10
  match: [{kinds: [ConfigMap], namespaces: [shop]}]
  action: Warn
---
apiVersion: setscrew.dev/v1alpha1
kind: DriftPolicy
metadata: {name: budgets}
spec:
  priority: 10
  match: [{kinds: [policy/PodDisruptionBudget]}]
  action: Audit
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: caches.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Cache, plural: caches, singular: cache, listKind: CacheList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
"""
CACHE = """\
apiVersion: example.com/v1
kind: Cache
metadata: {name: sessions, namespace: shop}
spec: {size: 3}
"""
# The drift that the page begins with: somebody has been debugging the worker before anybody guarded it.
DRIFT = (
    "set image deployment/worker worker=registry.example.com/shop/worker:debug",
    "set env deployment/worker DEBUG=1 TRACE=1",
)


@dataclass(frozen=True, slots=True)
class Example:
    """One command of the page. `code` is that of the last write's decision, "" where it left none."""

    who: str
    code: str
    command: str
    output: str

    @property
    def typed(self) -> str:
        """What the shell is given."""
        return "\n".join(line[2:] for line in self.command.splitlines())

    def __str__(self) -> str:
        code = f"`{self.code}`" if self.code else UNRECORDED
        return f"**{self.who}**, answered {code}:\n\n```console\n{self.command}{self.output}```"


def examples(page: str) -> list[Example]:
    """The commands of the page, in order."""
    return [example(found) for found in EXAMPLE.finditer(page)]


def example(found: re.Match[str]) -> Example:
    code = "" if found["code"] == UNRECORDED else found["code"].strip("`")
    return Example(found["who"], code, found["command"], found["output"])


def fill(work: Path) -> None:
    """The examples of the repository, and a custom resource whose definition Git does not declare."""
    story.fill(work)
    (work / "platform").mkdir()
    (work / "platform" / "cache.yaml").write_text(CACHE)


@contextmanager
def playing() -> Iterator[Player]:
    """A guarded cluster, on which each `play` is one command of the page."""
    with tempfile.TemporaryDirectory(prefix="setscrew-explain-") as directory:
        audit = Path(directory) / "audit.json"
        audit.write_text(json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}))
        sources = {**story.SOURCES, "platform": {"path": "platform", "render": {"kind": "YAML"}}}
        with Stage(sources, fill, audit_policy=audit) as stage:
            _guarded(stage)
            yield Player(stage)


def _guarded(stage: Stage) -> None:
    kubectl = stage.plane.kubectl
    story.sync(stage)
    kubectl("apply", "-f", "-", input=CRD)
    kubectl("create", "clusterrole", "caches", "--verb=*", "--resource=caches.example.com")
    kubectl("apply", "-k", ROOT / "manifests" / "crds")
    for account in ("reconciler", "canonicalizer"):
        subject = f"--serviceaccount=setscrew-system:setscrew-{account}"
        kubectl("create", "clusterrolebinding", f"caches-{account}", "--clusterrole=caches", subject)
    stage.wait("the kind Cache", lambda: kubectl("get", "caches", "-A", check=False).returncode == 0)
    kubectl("apply", "-f", "-", input=CACHE, kubeconfig=stage.gitops)
    for words in DRIFT:
        kubectl(*words.split(), "-n", "shop")
    (stage.directory / "config").mkdir()
    (stage.directory / "config" / "policies.yaml").write_text(POLICIES)
    stage.start_setscrew()
    stage.wait("the server forms", lambda: not stage.unconfirmed())
    stage.wait("the guard", stage.guarded)
    stage.wait("the count of users", (stage.state_dir / published.FILE).exists)


class Player:
    """Types commands as the people of the page."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._kubeconfigs: dict[str, Path] = {"dana": stage.person, "argocd": stage.gitops}

    def play(self, one: Example) -> Example:
        """The example as it is answered now."""
        seen = self._stage.plane.audit_log.stat().st_size
        done = subprocess.run(
            ["bash", "-c", one.typed],
            cwd=self._stage.repository.work,
            env=self._environment(one.who),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return Example(one.who, self._code(seen), one.command, plain(done.stdout))

    def _environment(self, who: str) -> dict[str, str]:
        if who in ACCOUNTS and who not in self._kubeconfigs:
            self._kubeconfigs[who] = self._stage.plane.service_account_kubeconfig(*ACCOUNTS[who])
        path = os.pathsep.join([str(self._stage.directory / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = self._stage.plane.environment(self._kubeconfigs.get(who))
        return {**environment, "PATH": path, "SETSCREW_STATE": str(self._stage.state_dir), "COLUMNS": "120"}

    def _code(self, start: int) -> str:
        """The code of the last decision on a write by kubectl, once the API server's audit log has come to rest."""
        found, before = self._codes(start), None
        for _ in range(20):
            if found and found == before:
                break
            time.sleep(0.5)
            found, before = self._codes(start), found
        return found[-1] if found else ""

    def _codes(self, start: int) -> list[str]:
        """One code a write that has been answered, "" where no decision left one."""
        codes = []
        with self._stage.plane.audit_log.open("rb") as log:
            log.seek(start)
            for line in log.read().splitlines(keepends=True):
                event = json.loads(line) if line.endswith(b"\n") else {"stage": ""}
                written = event["stage"] == "ResponseComplete" and event["verb"] not in ("get", "list", "watch")
                if written and event.get("userAgent", "").startswith("kubectl/"):
                    notes = event.get("annotations", {})
                    codes.append(next((notes[key] for key in notes if key.endswith("guard.setscrew.dev/code")), ""))
        return codes


def plain(text: str) -> str:
    """What was printed, without what differs from run to run."""
    for pattern, word in PLAIN:
        text = pattern.sub(word, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def main() -> None:
    """Write the page anew."""
    page = PAGE.read_text()
    with playing() as player:
        page = EXAMPLE.sub(lambda found: str(player.play(example(found))), page)
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
