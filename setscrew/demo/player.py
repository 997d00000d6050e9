"""Owns running a step on the stage and reading its answer; must not print or know the story."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.errors import UsageError
from setscrew.demo.repository import environment as git_environment
from setscrew.demo.stage import GITOPS, PERSON, Stage
from setscrew.demo.step import ADMIN, ARGOCD, CONTROLLER, DANA, Answer, Check, Held, Outcome, Probe, Step

_COMMAND_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.1
_ACCOUNTS: Final = {CONTROLLER: ("kube-system", "deployment-controller")}
USERNAMES: Final = {
    ADMIN: "admin",
    DANA: PERSON,
    ARGOCD: f"system:serviceaccount:{':'.join(GITOPS)}",
    CONTROLLER: "system:serviceaccount:kube-system:deployment-controller",
}


@dataclass(slots=True)
class Player:
    """Plays steps on one stage, in the working copy of its repository, each as the identity that it names.

    `columns` is the width that tables of `setscrew` may have; None leaves it to them.
    """

    stage: Stage
    columns: int | None = None
    _kubeconfigs: dict[str, Path] = field(default_factory=dict)

    def play(self, step: Step) -> Outcome:
        """Run the command, read the answer, look at the effects. Raises UsageError for an unknown program."""
        if step.prepare is not None:
            step.prepare(self.stage)
        began = time.monotonic()
        done = self._run(step)
        seconds = time.monotonic() - began
        answer = judge(done.returncode, done.stdout)
        held = tuple(self._held(check, began) for check in step.checks)
        return Outcome(step, answer, done.stdout, seconds, held)

    def argv(self, step: Step) -> list[str]:
        """The command as typed: the step's own, with what only this stage knows filled in."""
        url = f"https://127.0.0.1:{self.stage.admission_port}"
        return [part.replace("{webhook}", url) for part in step.argv]

    def _run(self, step: Step) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._program(step.argv[0]), *self.argv(step)[1:]],
            cwd=self.stage.repository.work,
            env=self._environment(step),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # one stream, in the order that a terminal shows
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
            **({"input": step.stdin} if step.stdin else {"stdin": subprocess.DEVNULL}),
        )

    def _program(self, name: str) -> list[str]:
        match name:
            case "kubectl":
                return [str(self.stage.plane.site.tools.kubectl)]
            case "setscrew":
                return [sys.executable, "-m", "setscrew"]
            case "git":
                return ["git"]
        raise UsageError(f"no step may run {name!r}")

    def _environment(self, step: Step) -> Mapping[str, str]:
        if step.argv[0] == "git":
            return {**os.environ, **git_environment()}
        ours = {"SETSCREW_STATE": str(self.stage.state_dir), "TMPDIR": str(self.stage.directory)}
        if self.columns is not None:
            ours["COLUMNS"] = str(self.columns)
        if step.editor:
            ours["KUBE_EDITOR"] = step.editor
        return {**self.stage.plane.environment(self.kubeconfig(step.who)), **ours}

    def kubeconfig(self, who: str) -> Path:
        """The kubeconfig of an identity of the story; service accounts get a real token."""
        stage = self.stage
        known = {ADMIN: stage.plane.admin_kubeconfig, DANA: stage.person, ARGOCD: stage.gitops}
        if who in known:
            return known[who]
        if who not in self._kubeconfigs:
            self._kubeconfigs[who] = stage.plane.service_account_kubeconfig(*_ACCOUNTS[who])
        return self._kubeconfigs[who]

    def _held(self, check: Check, began: float) -> Held:
        deadline = time.monotonic() + check.seconds
        seen = check.probe(self.stage)
        while seen != check.wants and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            seen = check.probe(self.stage)
        return Held(check, seen, time.monotonic() - began)


def judge(status: int, output: str) -> Answer:
    """How a command was answered, by its exit status and words: only our own webhook's denial counts as refused."""
    if status == 0:
        return "allowed"
    if "guard.setscrew.dev" in output and "denied the request" in output:
        return "refused"
    return "drift" if status == 1 and "WHO" in output else "failed"


def live(*argv: str) -> Probe:
    """A probe: what kubectl, as admin, prints now; an error reads as its first line."""

    def look(stage: Stage) -> str:
        done = stage.plane.kubectl(*argv, check=False)
        return (done.stdout if done.returncode == 0 else done.stderr).strip()

    return look
