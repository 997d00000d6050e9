"""Owns the demo with a person's own chart, overlay or directory, from its rendering to the closing line.

Must not know what a step is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from reconciler.errors import ClusterError, UsageError
from setscrew.controlplane import CONTROL_PLANE, ensure
from setscrew.demo import own_source_files as files
from setscrew.demo import own_source_story as story
from setscrew.demo import own_source_sync as syncing
from setscrew.demo.own_source_plan import Plan, plan
from setscrew.demo.pick import guardable
from setscrew.demo.player import Player
from setscrew.demo.show import Show
from setscrew.demo.stage import Stage
from setscrew.demo.step import Chapter, Outcome
from webhook.registration.kinds import never_registered

DEFAULT_NAMESPACE: Final = "default"
_CONFIRM_SECONDS: Final = 60
_SHOWN: Final = 10


def play(path: Path, namespace: str, value_files: Sequence[Path], console: Console) -> int:
    """Play changes that fit the source at `path`; 0 if every one was answered as announced, 1 if not.

    `namespace` "" is `default`. Raises SetscrewError for a source that cannot be rendered or synced.
    """
    tools = ensure([*CONTROL_PLANE, "helm"])
    mine = plan(path, namespace or DEFAULT_NAMESPACE, value_files)
    if not guardable(mine.objects):
        raise UsageError("nothing here can be guarded", where=str(path), hint="name a chart, an overlay or manifests")
    chapters = story.chapters(mine)
    with Show(console, sum(len(chapter.steps) for chapter in chapters)) as show:
        _introduce(show, mine)
        outcomes = _played(show, mine, Stage(files.sources(mine), partial(files.fill, mine), tools=tools), chapters)
        show.closing(outcomes)
    return 0 if all(outcome.right for outcome in outcomes) else 1


def _introduce(show: Show, mine: Plan) -> None:
    release = f", release {mine.release}" if mine.release else ""
    show.prose(
        f"{mine.directory.name}: {len(mine.objects)} objects, rendered as {mine.kind}{release}, "
        f"namespace {mine.namespace}."
    )
    for note in mine.notes:
        show.prose(f"- {note}", 2)
    for line in mine.left_out[:_SHOWN]:
        show.prose(f"- left out: {line}", 2)
    if len(mine.left_out) > _SHOWN:
        show.prose(f"- and {len(mine.left_out) - _SHOWN} more left out", 2)
    for one in mine.softened:
        show.prose(
            f"- {one.ref}: its server does not run here and would block every write, so an overlay in the demo's "
            "repository sets failurePolicy: Ignore, in Git and in the cluster",
            2,
        )
    for one in mine.objects:
        if why := never_registered(one.kind):
            show.prose(f"- {one.ref} is reported, not guarded: {why}", 2)


def _played(show: Show, mine: Plan, stage: Stage, chapters: Sequence[Chapter]) -> list[Outcome]:
    with ExitStack() as ending:
        with show.waiting("control plane, identities, and a Git repository with the source"):
            ending.enter_context(stage)
            syncing.prepare(stage, mine)
        with show.waiting("`setscrew run`: reconciler, admission server, API server"):
            stage.start_setscrew()
        with show.waiting("everything that the source declares, synced by the GitOps identity"):
            _synced(show, stage, mine)
        with show.waiting("each object confirmed by a dry-run of the API server"):
            _confirmed(stage, mine)
        with show.waiting("the API server asks the webhook"):
            stage.wait("the first denial", stage.guarded)
        for line in _offline(stage):
            show.prose(f"- {line}", 2)
        return _outcomes(show, stage, chapters)


def _synced(show: Show, stage: Stage, mine: Plan) -> None:
    """Raises ClusterError with kubectl's words where the source cannot be applied to a bare cluster."""
    for done in syncing.sync(stage, mine):
        show.verbatim(done.stdout)
        if done.returncode:
            raise ClusterError(f"the source cannot be synced: {done.stderr.strip()}", where=str(mine.directory))


def _confirmed(stage: Stage, mine: Plan) -> None:
    """All that may be dry-run; what the API server sends to no webhook keeps its offline form."""
    never = {str(one.ref) for one in mine.objects if never_registered(one.kind)}
    stage.wait("the server forms", lambda: not set(stage.unconfirmed()) - never, _CONFIRM_SECONDS)


def _offline(stage: Stage) -> list[str]:
    entries = [entry.object for entry in stage.snapshot().entries() if entry.object.confidence == "offline"]
    return [f"{one.ref} keeps its offline form: {one.reason}" for one in entries]


def _outcomes(show: Show, stage: Stage, chapters: Sequence[Chapter]) -> list[Outcome]:
    player, outcomes = Player(stage), []
    for chapter in chapters:
        show.chapter(chapter)
        for step in chapter.steps:
            show.announce(step, player.argv(step))
            outcomes.append(player.play(step))
            show.outcome(outcomes[-1])
    return outcomes
