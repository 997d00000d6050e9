"""Owns the soak of two replicas in a cluster: their installation, its first sync, and whose processes are looked at."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError
from reconciler.model.own import API_VERSION
from setscrew.controlplane import CONTROL_PLANE, ensure
from setscrew.demo.stage import dump
from tests.soak.actors import RESOURCES
from tests.soak.measure import Watch
from tests.soak.run import PATIENCE_SECONDS, SEED, SOURCE, Cast, Soak, play
from tests.soak.world import NAMESPACES, World
from tests.support.audit import GUARD
from tests.support.replicas import Installation, installed
from tests.support.waiting import eventually
from webhook.server.feed import Feed

_SOURCES = {"soak": {**SOURCE, "ref": {"branch": "main"}, "interval": "30s"}}
_SETTINGS = f"{RESOURCES['ConfigMap']}/settings".format(namespace=NAMESPACES[0])


def soak_in_cluster(seconds: float, pace: float = 1.0, samples: Path | None = None) -> Soak:
    """As `tests.soak.run.soak`, with two replicas that run as manifests/base has it."""
    with installed(ensure([*CONTROL_PLANE, "helm"]), _files(), _SOURCES, {}) as site:
        cast, commit = Cast.on(site), site.repository.git("rev-parse", "HEAD").strip()
        site.wait_ready(seconds=2 * PATIENCE_SECONDS)
        for trees in cast.writer.world.files.values():
            for tree in trees:
                cast.writer.apply(tree)
        eventually(lambda: _enforced(site, commit), "the first commit is enforced", PATIENCE_SECONDS)
        eventually(lambda: _confirmed(site), "forms from the API server", PATIENCE_SECONDS)
        eventually(lambda: _guarded(site), "the guard", PATIENCE_SECONDS)
        watch = Watch(_roots(site), samples)
        verdict = play(cast, watch, site.runner, lambda made: _enforced(site, made), seconds, pace)
        return Soak("two replicas", seconds, pace, verdict, watch)


def _files() -> dict[str, str]:
    """What Git holds before anything is installed: where every actor begins."""
    world = World(random.Random(SEED))  # noqa: S311 - the same run again, no secret
    return {f"soak/{name}.yaml": dump(trees) for name, trees in world.files.items()}


def _roots(site: Installation) -> list[tuple[str, int]]:
    """Leader and follower by name: who leads does not change unless something is wrong."""
    return [
        ("leader" if pod is site.leader else "follower", container.process.pid)
        for pod in site.pods
        for container in pod.containers
        if container.process is not None
    ]


def _enforced(site: Installation, commit: str) -> bool:
    group, _, version = API_VERSION.partition("/")
    status: dict[str, Any] = site.admin.request("GET", f"/apis/{group}/{version}/gitsources/soak").get("status") or {}
    return status.get("commit") == commit


def _confirmed(site: Installation) -> bool:
    """Whether each replica has a snapshot without offline forms."""
    for pod in site.pods:
        pointer = pod.directory / "state" / "snapshots" / "current.json"
        feed = Feed(pointer)
        feed.poll()
        if not pointer.exists() or feed.problem:
            return False
        entries = list(feed.current().entries())
        if not entries or any(one.object.confidence == "offline" for one in entries):
            return False
    return True


def _guarded(site: Installation) -> bool:
    change, merge = {"data": {"mode": "drift"}}, "application/merge-patch+json"
    try:
        ApiClient.load(str(site.person)).send("PATCH", _SETTINGS, change, {"dryRun": "All"}, content_type=merge)
    except ApiError as error:
        return GUARD in error.message
    return False
