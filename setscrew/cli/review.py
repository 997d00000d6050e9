"""Owns the command `review`: one AdmissionReview from stdin, answered by the server's code. Must not need a cluster."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from reconciler.errors import ReviewError, UsageError
from reconciler.gpu.users import published
from reconciler.limits import GIT_SECONDS, REVIEW_WIRE_BYTES
from reconciler.loop.assemble import assemble
from reconciler.render.embedded_loader import load_embedded
from reconciler.snapshot.model import MemorySnapshot, SnapshotView, SourceState
from setscrew import configuration
from setscrew.cli.common import EXISTING, finish, note, offline_context, print_json, rendered
from webhook.decision.decide import decide
from webhook.decision.look import CURRENT, Look
from webhook.decision.review import decode, encode
from webhook.decision.verdict import uncounted
from webhook.server.census import CensusFeed
from webhook.server.feed import open_snapshot
from webhook.server.judge import Judge
from webhook.server.ports import Counted

_KEY = b"review: values of Secrets are hashed on both sides of this one call"


@click.command()
@click.option("--desired", type=EXISTING, help="A desired set in place of a snapshot: chart, kustomization, YAML.")
@click.option("--snapshot", "snapshot_file", type=EXISTING, help="A snapshot file of a state directory.")
@click.option("--key", "key_file", type=EXISTING, help="Key of Secret values (default: beside the snapshot).")
@click.option("--policy", "policy_dir", type=EXISTING, help="DriftPolicy documents in place of the built-in ones.")
@click.option("--context", "context_files", type=EXISTING, multiple=True, help="More objects, such as CRDs.")
@click.option("-n", "--namespace", default="", help="Namespace of desired objects that name none.")
@click.option("-o", "--output", type=click.Choice(["json"]), default="json", expose_value=False, help="Format.")
def review(
    desired: Path | None,
    snapshot_file: Path | None,
    key_file: Path | None,
    policy_dir: Path | None,
    context_files: tuple[Path, ...],
    namespace: str,
) -> None:
    r"""Answer an AdmissionReview from stdin as the admission server would; prints the response. Exit status 1: denied.

    With --snapshot the answer is the server's own. With --desired there is no server that fills in defaults, so what
    Git does not declare is judged only where it is newly added.

    \b
    setscrew review --snapshot state/snapshots/<digest>.sqlite < review.json
    setscrew review --desired deploy/prod < review.json
    """
    if (desired is None) == (snapshot_file is None):
        raise UsageError("give exactly one of --desired and --snapshot")
    if snapshot_file is not None and (policy_dir or context_files or namespace):
        raise UsageError("--policy, --context and --namespace go with --desired", hint="a snapshot holds its own")
    if sys.stdin.isatty():
        raise UsageError("the AdmissionReview is read from stdin", hint="setscrew review … < review.json")
    snapshot: SnapshotView
    census: Counted = uncounted
    if snapshot_file is not None:
        snapshot = open_snapshot(snapshot_file, key_file)
        census = CensusFeed(snapshot_file.parent.parent / published.FILE, time.time).current
    elif desired is not None:
        snapshot = _from_desired(desired, policy_dir, context_files, namespace)
    body = sys.stdin.buffer.read(REVIEW_WIRE_BYTES + 1)
    try:
        answer = json.loads(asyncio.run(_judged(body, snapshot, census)))
    except ReviewError as error:
        print_json({"error": error.message, "code": error.code, "status": error.status})
        note([str(error)])
        finish(2)
    print_json(answer)
    finish(0 if answer["response"]["allowed"] else 1)


@dataclass(frozen=True, slots=True)
class _Still:
    """A feed that never moves, and a recorder that keeps nothing."""

    snapshot: SnapshotView

    def current(self) -> SnapshotView:
        return self.snapshot

    def poll(self) -> bool:
        return False

    def put(self, record: dict[str, object]) -> None:
        """Nothing is kept: nobody has changed anything."""


async def _judged(body: bytes, snapshot: SnapshotView, census: Counted) -> bytes:
    """The server's own way of a review, with more time. Raises ReviewError."""

    async def no_refresh(seconds: float, source: str = "") -> Look:  # noqa: ARG001 - the port's names
        return CURRENT

    still = _Still(snapshot)
    how = partial(decide, parse=load_embedded)
    judge = Judge(still, how, decode, encode, no_refresh, still, time.time, census=census)
    return await judge.review(body, None, asyncio.get_running_loop().time() + GIT_SECONDS)


def _from_desired(
    desired: Path, policy_dir: Path | None, context_files: tuple[Path, ...], namespace: str
) -> SnapshotView:
    rules = configuration.load_rules(policy_dir)
    empty = desired.is_dir() and not any(desired.iterdir())
    objects = () if empty else rendered(desired, namespace).objects
    extra = [one for file in context_files for one in rendered(file).objects]
    context = offline_context(rules, [*objects, *extra], namespace=namespace, key=_KEY)
    assembly = assemble([(context, objects)], rules)
    note(assembly.problems)
    name = desired.resolve().name
    source = SourceState(name, str(desired), "", "dir")
    return MemorySnapshot(assembly.entries({}, {}), assembly.rules, {name: source}, _KEY)
