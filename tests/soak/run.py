"""Owns one soak from start to verdict: the actors at their pace, and the wait until all has come to rest.

`soak` plays it with `setscrew run` on one machine, `tests.soak.in_cluster` with two replicas in a cluster.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from setscrew.demo.stage import Stage
from tests.soak.actors import Ground, Intruder, Person, Writer, everywhere
from tests.soak.measure import Watch
from tests.soak.trend import warm_up
from tests.soak.verdict import Verdict, judge
from tests.soak.world import World
from tests.support import audit
from tests.support.kubelet import Kubelet, kubelet

SEED: Final = 20261122
SOURCE: Final = {"path": "soak", "render": {"kind": "YAML"}}
_QUICK: Final = ("--horizontal-pod-autoscaler-sync-period=2s",)
PATIENCE_SECONDS: Final = 180.0
_SAMPLE_SECONDS: Final = 10.0


class Actor(Protocol):
    """Somebody who does one thing at a time."""

    def act(self) -> None:
        """Do the next."""


@dataclass(slots=True)
class Soak:
    """What came of a run; `watch` has looked at Setscrew's processes all the time."""

    where: str
    seconds: float
    pace: float
    verdict: Verdict
    watch: Watch

    def facts(self) -> list[str]:
        """The lines above the counts."""
        begun = f"soak of {self.where}: {self.seconds:.0f} s at pace {self.pace:g}"
        return [f"{begun}, 50 guarded Deployments in 5 namespaces, seed {SEED}", *self.watch.facts()]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who acts."""

    writer: Writer
    person: Person
    intruder: Intruder

    @classmethod
    def on(cls, ground: Ground) -> Self:
        """Everybody begins there with what they did in every run before."""
        chances = [random.Random(SEED + number) for number in range(3)]  # noqa: S311 - the same run again, no secret
        return cls(Writer(ground, World(chances[0])), Person(ground, chances[1]), Intruder(ground, chances[2]))


def soak(seconds: float, directory: Path, pace: float = 1.0, samples: Path | None = None) -> Soak:
    """Run for `seconds` after all is guarded; the control plane is gone when this returns.

    `pace`: after the warm-up everybody waits so many times as long between two acts. `samples`: see `Watch.kept`.
    """
    stage = Stage(
        {"soak": SOURCE},
        lambda work: (work / "soak").mkdir(),
        audit_policy=audit.policy_file(directory),
        plane_options={"controller_manager_args": _QUICK},
    )
    with stage, kubelet(stage.plane) as node:
        cast = Cast.on(stage)
        _begin(stage, cast.writer)
        assert stage._process is not None
        watch = Watch([("", stage._process.pid)], samples)
        verdict = play(cast, watch, node, stage.enforced, seconds, pace)
        return Soak("`setscrew run`", seconds, pace, verdict, watch)


def play(
    cast: Cast, watch: Watch, node: Kubelet, enforced: Callable[[str], bool], seconds: float, pace: float
) -> Verdict:
    """All of it on a guarded cluster; `enforced` says whether a commit is."""
    writer, person, intruder = cast.writer, cast.person, cast.intruder
    watch.begin()
    began = time.monotonic()
    warm = began + warm_up(seconds)
    with _acting((writer, 2.0), (person, 0.5), (intruder, 0.2), slower=lambda: _slower(pace, warm)) as acting:
        end = began + seconds
        while time.monotonic() < end and not any(one.done() for one in acting):
            time.sleep(_SAMPLE_SECONDS)
            watch.look()
    grown = [*watch.ended(), *(line for trend in watch.trends() for line in trend.violations())]
    tallies = (writer.tally, person.tally, intruder.tally)
    return judge(writer.ground.plane, node, tallies, [*grown, *_unsettled(writer, enforced)])


def _begin(stage: Stage, writer: Writer) -> None:
    """The first sync, until every form is the server's and the API server asks us."""
    writer.push("All of it")
    stage.start_setscrew()
    for trees in writer.world.files.values():
        for tree in trees:
            writer.apply(tree)
    stage.wait("forms from the API server", lambda: not stage.unconfirmed(), PATIENCE_SECONDS)
    stage.wait("the guard", stage.guarded)


def _slower(pace: float, warm: float) -> float:
    """How much slower everybody is now: until processes are warm nobody is, for they warm up by what happens."""
    return pace if time.monotonic() > warm else min(pace, 1.0)


@contextmanager
def _acting(*actors: tuple[Actor, float], slower: Callable[[], float]) -> Iterator[list[Future[None]]]:
    """Each actor in a thread, with a pause in seconds between two acts; an actor that fails ends the soak."""
    ended = threading.Event()

    def keep(actor: Actor, pause: float) -> None:
        while not ended.wait(pause * slower()):
            actor.act()

    with ThreadPoolExecutor() as pool:
        running = [pool.submit(keep, *one) for one in actors]
        try:
            yield running
        finally:
            ended.set()
    for one in running:
        one.result()


def _unsettled(writer: Writer, enforced: Callable[[str], bool]) -> list[str]:
    """What does not come to rest as Git wants it, though there is time."""
    commit = writer.rest()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := _restless(writer, enforced(commit)):
        if time.monotonic() > deadline:
            return left
        time.sleep(1)
    return []


def _restless(writer: Writer, enforced: bool) -> list[str]:
    images = {
        _key(one): one["spec"]["template"]["spec"]["containers"][0]["image"]
        for one in writer.world.objects("Deployment")
    }
    bounds = {_key(one): one["spec"] for one in writer.world.objects("HorizontalPodAutoscaler")}
    found = [] if enforced else ["the last commit is not enforced"]
    for one in everywhere(writer.client, "Deployment"):
        key, spec, status = _key(one), one["spec"], one["status"]
        running = {
            spec["replicas"],
            status.get("updatedReplicas"),
            status.get("availableReplicas"),
            status.get("replicas"),
        }
        if spec["template"]["spec"]["containers"][0]["image"] != images[key] or len(running) > 1:
            found.append(f"{key} has not rolled out: {status}")
        if not bounds[key]["minReplicas"] <= spec["replicas"] <= bounds[key]["maxReplicas"]:
            found.append(f"{key} has {spec['replicas']} replicas, which its autoscaler must move")
    names = [
        one["metadata"]["name"]
        for one in writer.client.request("GET", "/api/v1/namespaces")["items"]
        if "deletionTimestamp" in one["metadata"]
    ]
    found += [f"namespace {name} does not terminate" for name in names]
    found += [f"{_key(one)} is not removed" for one in everywhere(writer.client, "Job")]
    return found


def _key(tree: dict[str, dict[str, str]]) -> str:
    return f"{tree['metadata']['namespace']}/{tree['metadata']['name']}"
