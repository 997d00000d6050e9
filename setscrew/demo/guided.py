"""Owns the guided demo from an empty machine to the closing line; must not know what a step is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from rich.console import Console

from setscrew.controlplane import CONTROL_PLANE, ensure
from setscrew.demo import story
from setscrew.demo.player import Player
from setscrew.demo.show import Show
from setscrew.demo.stage import Stage
from setscrew.demo.step import Outcome

_INTRODUCTION = (
    "Who may change what Git manages? A real Kubernetes control plane (API server, controllers, etcd; no nodes) runs "
    "on this machine for the length of the demo. The real kubectl changes what a Git repository declares; what it "
    "prints is shown as it is. Each step says beforehand what must be answered."
)
_PEOPLE = (
    "admin is in system:masters, dana is cluster-admin by RBAC, argocd and deployment-controller are service accounts "
    "with real tokens."
)
_NEXT = (
    ("setscrew demo --source PATH", "the same with your own chart, overlay or directory"),
    ("setscrew diff PATH", "what a change in Git would mean for the cluster"),
    ("setscrew drift -o diff", "all fields, wanted against live"),
    ("setscrew explain KIND/NAME", "who declares it, who wrote it, what a change would be answered"),
    ("setscrew run --help", "guard a cluster of your own"),
    ("README.md, docs/architecture.md", "how it works, and what it does not do yet"),
)


def play(console: Console) -> int:
    """Play the whole story; returns 0 if every step was answered as announced, 1 if not. Raises SetscrewError."""
    story.examples()
    tools = ensure([*CONTROL_PLANE, "helm"])
    with Show(console, len(story.steps())) as show:
        show.prose(_INTRODUCTION)
        show.prose(_PEOPLE)
        console.print()
        outcomes = _played(show, Stage(story.SOURCES, story.fill, tools=tools))
        _pointers(show)
        show.closing(outcomes)
    return 0 if all(outcome.right for outcome in outcomes) else 1


def _played(show: Show, stage: Stage) -> list[Outcome]:
    with ExitStack() as ending:
        with show.waiting("control plane, identities, and a Git repository out of examples/"):
            ending.enter_context(stage)
        with show.waiting("everything that Git declares, synced by the GitOps identity"):
            synced = story.sync(stage)
        show.verbatim(synced)
        return list(_outcomes(show, stage))


def _outcomes(show: Show, stage: Stage) -> Iterator[Outcome]:
    player = Player(stage, show.columns)
    for chapter in story.CHAPTERS:
        show.chapter(chapter)
        for what, act in chapter.before:
            with show.waiting(what):
                act(stage)
        for step in chapter.steps:
            show.announce(step, player.argv(step))
            outcome = player.play(step)
            show.outcome(outcome)
            yield outcome


def _pointers(show: Show) -> None:
    width = max(len(command) for command, _ in _NEXT)
    for command, what in _NEXT:
        show.console.print(f"  {command:<{width}}   {what}", markup=False, highlight=False, soft_wrap=True)
