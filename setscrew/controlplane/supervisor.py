"""Owns the component processes of one control plane and their end; must import the standard library only (runs alone).

Why a process of its own: the parent may be killed at any moment, and then somebody must kill the components and remove
the directory. The supervisor sees the end of its stdin (or another parent id) and does so. If it is killed itself, the
kernel kills the components (PR_SET_PDEATHSIG); that signal follows the *thread* that started them, and the supervisor
has one thread only, which the parent, a test runner with many, has not.

Spoken over stdin and stdout, one JSON object a line: {"id": 1, "op": start | stop | signal | exited, …}, answered by
one object with the same id.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5


class Supervisor:
    """The processes by name, in the order of their start."""

    def __init__(self, die_with_parent: Callable[[], None]) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.die_with_parent = die_with_parent
        self.operations: dict[str, Callable[..., dict[str, Any]]] = {
            "start": self.start,
            "stop": self.stop,
            "signal": self.signal,
            "exited": self.exited,
        }

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request says; a failure is an answer, never the end of the supervisor."""
        try:
            return self.operations[request.pop("op")](**request)
        except (OSError, KeyError, ValueError, TypeError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def start(self, name: str, argv: list[str], log: str) -> dict[str, Any]:
        """Start a component; its output is appended to the file `log`."""
        with open(log, "ab") as output:  # noqa: PTH123 - nothing but what is needed is imported here
            self.processes[name] = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=self.die_with_parent,  # noqa: PLW1509 - safe: this process has one thread
                cwd=os.path.dirname(log),  # noqa: PTH120
            )
        return {"pid": self.processes[name].pid}

    def stop(self, name: str, grace: float) -> dict[str, Any]:
        """End a component: SIGTERM, and SIGKILL after `grace` seconds."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
        return {"status": process.wait()}

    def signal(self, name: str, number: int) -> dict[str, Any]:
        """Send a signal to a component."""
        self.processes[name].send_signal(number)
        return {}

    def exited(self) -> dict[str, Any]:
        """The components that ended by themselves, with their status."""
        ended = {name: process.poll() for name, process in self.processes.items()}
        return {"exited": {name: status for name, status in ended.items() if status is not None}}

    def kill_all(self) -> None:
        """Kill everything: nothing of a throw-away control plane is worth a slow goodbye."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()


def serve(supervisor: Supervisor, parent: int) -> None:
    """Answer requests until stdin ends or the parent has another id: a fork of the parent may hold stdin open."""
    pending = b""
    while True:
        readable, _, _ = select.select([0], [], [], _POLL_SECONDS)
        if not readable:
            if os.getppid() != parent:
                return
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            request = json.loads(line)
            number = request.pop("id")
            os.write(1, json.dumps({"id": number, **supervisor.handle(request)}).encode() + b"\n")


def _death_wish() -> Callable[[], None]:
    """What a child does before it becomes the component: ask the kernel to be killed when its parent dies."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl, myself = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def wish() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != myself:
            os._exit(1)  # the supervisor died before the wish was heard

    return wish


def main() -> None:
    """`supervisor.py DIRECTORY PARENT_PID`: serve, then kill everything and remove the directory."""
    directory, parent = sys.argv[1], int(sys.argv[2])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    supervisor = Supervisor(_death_wish())
    try:
        serve(supervisor, parent)
    except BrokenPipeError:
        pass  # the parent died while it was being answered
    finally:
        supervisor.kill_all()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
