"""Owns the conversation with the supervisor; must not know which components there are or what they do."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from setscrew.controlplane.errors import ControlPlaneError
from setscrew.controlplane.limits import STOP_ALL_SECONDS, STOP_GRACE_SECONDS
from setscrew.controlplane.workdir import Workdir

_SCRIPT = Path(__file__).with_name("supervisor.py")


class Processes:
    """The components of one control plane, held by a supervisor that outlives us just long enough to clean up."""

    def __init__(self, workdir: Workdir) -> None:
        self._turn = threading.Lock()
        self._numbers = itertools.count(1)
        with workdir.log("supervisor").open("wb") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SCRIPT), str(workdir.root), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={
                    "PATH": os.defpath,
                    "HOME": str(workdir.home),
                },  # ETCD_* and KUBE_FEATURE_* would change components
                pass_fds=[workdir.lock],
                start_new_session=True,
                cwd="/",
            )
        os.close(workdir.lock)  # from here on the supervisor is the owner

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        return self._supervisor.pid

    def start(self, name: str, argv: Sequence[str], log: Path) -> int:
        """Start a component and return its process id."""
        return int(self._ask(op="start", name=name, argv=list(argv), log=str(log))["pid"])

    def stop(self, name: str) -> None:
        """End a component; it may be started again."""
        self._ask(op="stop", name=name, grace=STOP_GRACE_SECONDS)

    def pause(self, name: str) -> None:
        """Stop a component's clock: it keeps its connections and answers nobody."""
        self._ask(op="signal", name=name, number=int(signal.SIGSTOP))

    def resume(self, name: str) -> None:
        """Let a paused component go on."""
        self._ask(op="signal", name=name, number=int(signal.SIGCONT))

    def exited(self) -> Mapping[str, int]:
        """The components that ended by themselves, with their exit status (negative: signal)."""
        return dict(self._ask(op="exited")["exited"])

    def close(self) -> None:
        """End everything and remove the directory; a second call does nothing."""
        with self._turn:
            for pipe in (self._supervisor.stdin, self._supervisor.stdout):
                if pipe is not None:
                    _close(pipe)
        try:
            self._supervisor.wait(STOP_ALL_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()

    def _ask(self, **request: Any) -> dict[str, Any]:
        with self._turn:
            answer = self._exchange(next(self._numbers), request)
        if "error" in answer:
            raise ControlPlaneError(f"{request['op']} {request.get('name', '')}: {answer['error']}")
        return answer

    def _exchange(self, number: int, request: Mapping[str, Any]) -> dict[str, Any]:
        stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
        if stdin is None or stdout is None or stdin.closed:
            return {"error": "the control plane was stopped"}
        try:
            stdin.write(json.dumps({"id": number, **request}).encode() + b"\n")
            stdin.flush()
            while line := stdout.readline():
                answer: dict[str, Any] = json.loads(line)
                if answer["id"] == number:  # else: of a request that Ctrl-C or a test's timeout cut short
                    return answer
        except OSError as error:
            return {"error": f"the supervisor does not answer: {error}"}
        return {"error": "the supervisor is gone"}


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # the supervisor was killed; the kernel killed the components with it
