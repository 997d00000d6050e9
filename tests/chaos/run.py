"""Owns one chaos run from start to verdict: the installation, the traffic, one trial after the other."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from reconciler.errors import ClusterError
from reconciler.limits import ADMISSION_WORKERS, SLIPPED_KEPT
from reconciler.store.blind import read_slipped
from setscrew.demo.stage import Stage, dump
from setscrew.store import open_store
from tests.chaos.parts import Parts, running, wait
from tests.chaos.traffic import WRITERS, Traffic, Write
from tests.chaos.trials import TRIALS, Size, Trial, small_disk
from tests.chaos.verdict import Span, Verdict, judge
from tests.chaos.world import fill, objects_now, policy
from tests.support import audit

SEED: Final = 20261122
_SOURCES: Final = {"chaos": {"path": "chaos", "render": {"kind": "YAML"}}}
_SETTLE_SECONDS: Final = 1.0

# Of the writes in hand at a kill, those whose review is in the killed worker end with it.
_IN_HAND: Final = WRITERS // ADMISSION_WORKERS

FailurePolicy = Literal["Fail", "Ignore"]


@dataclass(slots=True)
class Chaos:
    """What came of a run."""

    failure: FailurePolicy
    rate: float
    seconds: float
    writes: int
    verdict: Verdict
    left_out: tuple[str, ...] = ()

    def facts(self) -> list[str]:
        """The lines above the counts."""
        done = self.writes / self.seconds if self.seconds else 0.0
        lines = [
            f"chaos: failurePolicy {self.failure}, two replicas of two workers, seed {SEED}",
            f"{self.writes} writes in {self.seconds:.0f} s: {done:.0f} a second of {self.rate:.0f} wished for",
        ]
        return lines + [f"left out: {line}" for line in self.left_out]


def chaos(failure: FailurePolicy, rate: float, size: Size, directory: Path, trials: Sequence[Trial] = TRIALS) -> Chaos:
    """Play `trials` under `rate` writes a second; the control plane is gone when this returns."""
    stage = Stage(_SOURCES, fill, audit_policy=audit.policy_file(directory))
    with stage, small_disk(stage.state_dir) as full:
        (stage.configured() / "policy.yaml").write_text(dump([policy(failure)]))
        stage.plane.kubectl("apply", "-f", "-", input=dump(objects_now()))
        left_out = () if full else ("disk full: a file system of its own cannot be mounted here",)
        chosen = [trial for trial in trials if full or trial.name != "disk full"]
        with running(stage) as parts:
            stage.wait("the guard", stage.guarded)
            traffic = Traffic(stage.person, rate, SEED)
            began = time.monotonic()
            with traffic.flowing():
                spans = [_played(parts, trial, size) for trial in chosen]
            seconds = time.monotonic() - began
            known = _known(stage, traffic.writes) if failure == "Ignore" else frozenset()
        verdict = judge(traffic.writes, spans, failure, known, workers=size.kills * _IN_HAND)
        return Chaos(failure, rate, seconds, len(traffic.writes), verdict, left_out)


def _played(parts: Parts, trial: Trial, size: Size) -> Span:
    since = time.time()
    trial.act(parts, size)
    time.sleep(_SETTLE_SECONDS)
    return Span(trial.name, trial.excused, since, time.time())


def _known(stage: Stage, writes: Sequence[Write]) -> Collection[str]:
    """Ids of the requests that the report names as unjudged, once it has had time to read of the last one."""
    slipped = {one.audit_id for one in writes if one.meant == "forbidden" and 200 <= one.status < 300}
    reported: set[str] = set()

    def caught_up() -> bool:
        reported.update(_reported(stage))
        return slipped <= reported

    # What is missing after that is the verdict's to tell.
    with suppress(ClusterError):
        wait("the report of what slipped through", caught_up)
    return reported


def _reported(stage: Stage) -> set[str]:
    slipped, _ = read_slipped(open_store(stage.state_dir), SLIPPED_KEPT)
    return {write["id"] for write in slipped}
