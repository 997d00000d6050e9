"""Owns the stage on which known walks around the guard are played: desired state, people, and what the cluster holds.

A walk is data (tests/cases/walks/*.yaml): who runs which real kubectl command, the answer, and what is there then.
Must not assert.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from reconciler.model.own import OFF, REGISTRATION
from setscrew.cli.common import rendered
from setscrew.controlplane.api import Answer
from setscrew.demo.player import judge
from setscrew.demo.stage import Stage, dump
from setscrew.demo.step import Answer as Outcome
from tests.support.waiting import eventually

CASES: Final = Path(__file__).parent.parent / "cases" / "walks"
SOURCES: Final[dict[str, dict[str, Any]]] = {
    "shop": {"path": "shop", "render": {"kind": "YAML"}},
    "custom": {"path": "custom", "render": {"kind": "YAML"}},
    "own": {"path": "own", "render": {"kind": "YAML"}},
    "made": {"path": "made", "render": {"kind": "Helm", "namespace": "shop"}},
}
_CRDS: Final = CASES.parents[2] / "manifests" / "crds"
_POLICY: Final = {
    "apiVersion": "setscrew.dev/v1alpha1",
    "kind": "DriftPolicy",
    "metadata": {"name": "nodes"},
    "spec": {"match": [{"kinds": ["Node"]}], "fragment": True, "failurePolicy": "Ignore"},
}
# Whatever a walk could leave behind. Pods belong to their controllers; each walk on one looks at it itself.
_WATCHED: Final = {
    "api/v1": ("configmaps", "namespaces", "nodes", "secrets", "services"),
    "apis/apiextensions.k8s.io/v1": ("customresourcedefinitions",),
    "apis/apps/v1": ("deployments",),
    "apis/autoscaling/v2": ("horizontalpodautoscalers",),
    "apis/example.com/v1": ("widgets",),
    "apis/resource.k8s.io/v1": ("deviceclasses",),
    "apis/setscrew.dev/v1alpha1": ("driftgrants", "driftpolicies", "gitsources"),
}
# What machinery keeps writing, the answer to a walk or not.
_MOVING: Final = ("resourceVersion", "generation", "managedFields")
_OF_EVERY_NAMESPACE: Final = ("kube-root-ca.crt",)
_REVISION: Final = "deployment.kubernetes.io/revision"

State = Mapping[str, Any]


def walks(name: str, line: int = 0) -> list[Any]:
    """The walks of one file as parameters of a test: those of a line of docs/reference/reliability.md, or of none."""
    cases = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return [pytest.param(case, id=case["name"]) for case in cases if case.get("line", 0) == line]


@dataclass(slots=True)
class Theatre:
    """One stage that guards the desired state, and the kubeconfigs of all who play on it."""

    stage: Stage
    _kubeconfigs: dict[str, Path] = field(default_factory=dict)

    def play(self, step: Mapping[str, Any]) -> tuple[Outcome, str]:
        """Run one command; returns how it was answered and what kubectl printed."""
        plane = self.stage.plane
        environment = plane.environment(self.kubeconfig(step.get("as", "admin")))
        done = subprocess.run(
            [str(plane.site.tools.kubectl), *shlex.split(step["run"])[1:]],
            cwd=self.stage.repository.work,
            env=environment | ({"KUBE_EDITOR": step["editor"]} if "editor" in step else {}),
            input=self._input(step.get("stdin", {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
        return judge(done.returncode, done.stdout), done.stdout

    def _input(self, said: Mapping[str, Any]) -> str:
        """Nothing, a `text`, or a `file` of the desired state `with` words replaced."""
        if "file" not in said:
            return str(said.get("text", ""))
        text: str = (self.stage.repository.work / said["file"]).read_text()
        for word, other in said.get("with", {}).items():
            text = text.replace(word, other)
        return text

    def kubeconfig(self, who: str) -> Path:
        """A person's, by name, or that of a service account with a real token (`namespace/name`)."""
        stage = self.stage
        known = {"admin": stage.plane.admin_kubeconfig, "dana": stage.person, "gitops": stage.gitops}
        if who in known:
            return known[who]
        if who not in self._kubeconfigs:
            namespace, _, name = who.partition("/")
            account = stage.plane.service_account_kubeconfig
            self._kubeconfigs[who] = account(namespace, name) if name else stage.plane.kubeconfig(who)
        return self._kubeconfigs[who]

    def state(self) -> State:
        """Every object that a walk could touch, without what machinery keeps writing."""
        paths = [f"/{group}/{resource}" for group, resources in _WATCHED.items() for resource in resources]
        lists = [(path.rpartition("/")[2], self._items(path)) for path in paths]
        return {
            f"{resource} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}": _content(item)
            for resource, items in lists
            for item in items
            if item["metadata"]["name"] not in _OF_EVERY_NAMESPACE
        }

    def _items(self, path: str) -> list[Any]:
        """A list of the API server, which for a moment after a change of a definition has none to give."""
        body = eventually(lambda: _list(self.stage.plane.request("GET", path)), path)
        return list(body["items"])

    def sync(self) -> None:
        """What a GitOps controller that applies as kubectl does makes of the working copy."""
        trees = [
            one.tree
            for source in SOURCES.values()
            for one in rendered(self.stage.repository.work / source["path"], "shop").objects
        ]
        trees.sort(key=lambda tree: tree["kind"] != "Namespace")
        options = ("--validate=false", "-f", "-")
        self.stage.plane.kubectl("apply", *options, kubeconfig=self.stage.gitops, input=dump(trees))

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """A while in which nobody is asked: what is done in it is drift."""
        plane, path = self.stage.plane, f"validatingwebhookconfiguration/{REGISTRATION}"
        off = {"metadata": {"annotations": {OFF: "a walk"}}, "webhooks": []}
        plane.kubectl("patch", path, "--type=merge", "-p", json.dumps(off))
        self.stage.wait("nobody to be asked", lambda: not self.stage.guarded())
        yield
        # Without the note it is an edited registration, and those are put right.
        plane.kubectl("annotate", path, f"{OFF}-")
        self.stage.wait("the guard", self.stage.guarded)


def _list(answer: Answer) -> Any:
    return answer.body if answer.status == 200 else None


def _content(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in item["metadata"].items() if key not in _MOVING}
    if annotations := metadata.pop("annotations", {}):
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _REVISION}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def walk(one: Theatre, case: Mapping[str, Any]) -> list[str]:
    """Play one walk; returns what came out otherwise than it says.

    `refused` are texts of the denial, `fails` of an error of the API server's own; without them the command must pass.
    A walk without `then` leaves all as it was, one with `undo` does so after that. `before` and `and` are commands
    around it that must pass. The command is given again while it prints what `unless` says: the API server needs a
    moment to act by another definition.
    """
    steps = [*case.get("before", ()), case, *case.get("and", ()), *map(_step, case.get("undo", ()))]
    for step in steps:
        one.kubeconfig(step.get("as", "admin"))
    problems = [_passes(one, step) for step in case.get("before", ())]
    before = one.state()
    answer, said = _answered(one, case)
    if answer != ("refused" if "refused" in case else "failed" if "fails" in case else "allowed"):
        problems.append(f"{answer}: {said}")
    wanted = [*case.get("refused", ()), *case.get("fails", ())]
    problems += [f"does not say {text!r}: {said}" for text in wanted if text not in said]
    problems += [_passes(one, step) for step in case.get("and", ())]
    problems.append(_unlike(one, case["then"]) if "then" in case else _changed(one, before))
    if "undo" in case:
        problems += [_passes(one, _step(step)) for step in case["undo"]]
        problems.append(_changed(one, before))
    return list(filter(None, problems))


def _answered(one: Theatre, case: Mapping[str, Any]) -> tuple[Outcome, str]:
    def once() -> tuple[Outcome, str] | None:
        answer, said = one.play(case)
        return None if case.get("unless", "\0") in said else (answer, said)

    return eventually(once, case["name"])


def _step(said: str | Mapping[str, Any]) -> Mapping[str, Any]:
    return {"run": said} if isinstance(said, str) else said


def _passes(one: Theatre, step: Mapping[str, Any]) -> str:
    answer, said = one.play(step)
    return "" if answer == "allowed" else f"{step['run']}: {answer}: {said}"


def _changed(one: Theatre, before: State) -> str:
    now = one.state()
    return "\n".join(
        f"{name}: {before.get(name)} became {now.get(name)}"
        for name in {*before, *now}
        if before.get(name) != now.get(name)
    )


def _unlike(one: Theatre, then: Mapping[str, Any]) -> str:
    """What a command prints in a while, held against a text: the whole (`is`), a part (`has`), or none of it."""

    def seen() -> str:
        return one.play({"run": then["run"]})[1].strip()

    def right(text: str) -> bool:
        return text == then.get("is", text) and then.get("has", "") in text and (then.get("lacks") or "\0") not in text

    deadline = time.monotonic() + then.get("seconds", 20)
    while not right(text := seen()):
        if time.monotonic() > deadline:
            return f"{then}: {text}"
        time.sleep(0.2)
    return ""


@contextmanager
def theatre() -> Iterator[Theatre]:
    """A running guard over a synced cluster, all of it confirmed by the server."""
    with Stage(SOURCES, _fill, scan_seconds=1) as stage:
        one = Theatre(stage)
        _people_and_things(stage)
        (stage.directory / "config").mkdir()
        (stage.directory / "config" / "policy.yaml").write_text(yaml.safe_dump(_POLICY))
        stage.start_setscrew()
        one.sync()
        stage.wait("server forms", lambda: not stage.unconfirmed())
        stage.wait("the guard", stage.guarded)
        yield one


def _fill(work: Path) -> None:
    shutil.copytree(CASES / "desired", work, dirs_exist_ok=True)


def _people_and_things(stage: Stage) -> None:
    """Definitions and Nodes, one who may `edit` the shop (carl), one who may write the status of Nodes (nina)."""
    plane = stage.plane
    plane.kubectl("apply", "-k", _CRDS)
    plane.kubectl("apply", "-f", CASES / "cluster.yaml")
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    plane.kubectl("apply", "-f", CASES / "levers.yaml")
    plane.kubectl("create", "namespace", "shop")
    plane.kubectl("create", "rolebinding", "carl", "-n", "shop", "--clusterrole=edit", "--user=carl")
