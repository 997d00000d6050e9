"""Has inputs tried in child processes and outlives them: one that dies, hangs or eats memory is a finding, no more."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.fuzz.child import ROUND, numbered

_ROOT: Final = Path(__file__).parents[2]
_SHARE: Final = 50_000
# Nobody's input may take so long: a beat comes every thousand.
_SILENT_SECONDS: Final = 300


@dataclass
class Found:
    """`findings`: number, seed's name and what is wrong. `peak`: the largest memory of a child, in MiB."""

    findings: list[tuple[str, str, str]] = field(default_factory=list)
    peak: int = 0


def fuzz(target: str, inputs: int, seed: int, share: int = _SHARE) -> Found:
    """Try so many inputs."""
    found = Found()
    at = 0
    while at < inputs:
        at = _tried(found, target, seed, at, min(at - at % share + share, inputs))
    return found


def _tried(found: Found, target: str, seed: int, first: int, beyond: int) -> int:
    """Try a range in one child; returns where to go on: behind the input that ended it, or at the end."""
    ended, beat = False, first
    with subprocess.Popen(_command(target, seed, first, beyond), cwd=_ROOT, stdout=subprocess.PIPE, text=True) as child:
        for line in _lines(child):
            if "finding" in line:
                found.findings.append((line["number"], line["name"], line["finding"]))
            beat = line.get("beat", beat)
            ended = ended or "peak" in line
            found.peak = max(found.peak, line.get("peak", 0))
    if ended and child.returncode == 0:
        return beyond
    culprit = _culprit(target, seed, beat, beyond)
    found.findings.append((numbered(seed, culprit), "", f"the child ended: {_words(child.returncode)}"))
    return culprit + 1


def _lines(child: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """What a child tells until it ends; one that is silent for too long is killed."""
    assert child.stdout is not None
    line = "{}"
    while line:
        yield json.loads(line)
        alarm = threading.Timer(_SILENT_SECONDS, child.kill)
        alarm.start()
        line = child.stdout.readline()
        alarm.cancel()


def _command(target: str, seed: int, first: int, beyond: int) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.child", target, str(seed), str(first), str(beyond)]


def _culprit(target: str, seed: int, first: int, beyond: int) -> int:
    """The input that ends a child, by its last word."""
    command = [*_command(target, seed, first, beyond), "--trace"]
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=_SILENT_SECONDS)
        talk = done.stderr
    except subprocess.TimeoutExpired as error:
        talk = error.stderr.decode() if isinstance(error.stderr, bytes) else error.stderr or ""
    counts = [line.split("-") for line in talk.splitlines() if line.count("-") == 2]
    known = [int(part) * ROUND + int(place) for _, part, place in counts if (part + place).isdigit()]
    return known[-1] if known else first


def _words(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
