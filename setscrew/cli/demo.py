"""Owns the command `demo`: options in, exit status out, nothing left behind when stopped. Must not play anything."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from reconciler.errors import UsageError
from setscrew.cli.common import EXISTING, finish, note

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_EPILOG = """\b
Examples:
  setscrew demo                                   the guided story, with examples/ of this repository
  setscrew demo > demo.txt                        plain text: no colours, no bar, no prompts
  setscrew demo --source deploy/overlays/prod     your own overlay, directory or chart
  setscrew demo --source charts/web --namespace web --values prod.yaml

\b
Exit status: 0 every step was answered as announced, 1 one was not, more is an error."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@click.command(epilog=_EPILOG)
@click.option("--source", type=EXISTING, metavar="PATH", help="Play with your own chart, overlay or directory of YAML.")
@click.option(
    "-n", "--namespace", default="", help="With --source: namespace of the release, and of objects that name none."
)
@click.option(
    "--values", "value_files", type=EXISTING, multiple=True, help="With --source: Helm values; may be repeated."
)
def demo(source: Path | None, namespace: str, value_files: tuple[Path, ...]) -> None:
    """See it work: a real API server refuses what Git does not say, and a report shows what slipped in.

    Starts a Kubernetes control plane on this machine (no cluster, no root, no container needed), commits examples/ to a
    Git repository, syncs it, starts Setscrew, and then plays changes with the real kubectl as a cluster admin: images,
    replicas, sidecars, GPU classes, deletions, a forged owner; and those that pass: repairs, restarts, a `git push`.
    Every step says what is about to happen, why, and which answer must come.

    Nothing outside its own temporary directory is touched; all of it is gone at the end, or after Ctrl-C. It takes
    about a minute. The very first run may build the control plane's programs, which takes longer: `make setup` does
    that ahead.
    """
    if source is None and (namespace or value_files):
        raise UsageError("--namespace and --values belong to --source", hint="add --source PATH")
    console = Console(highlight=False)
    try:
        with _ended_by_signals():
            finish(_play(source, namespace, value_files, console))
    except Stopped as stopped:
        note(["stopped; nothing is left behind"])
        sys.exit(128 + stopped.number)


def _play(source: Path | None, namespace: str, value_files: tuple[Path, ...], console: Console) -> int:
    if source is None:
        from setscrew.demo import guided

        return guided.play(console)
    from setscrew.demo import own_source

    return own_source.play(source, namespace, value_files, console)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """The first signal unwinds everything; more of them are ignored, since the unwinding must not be cut short."""

    def end(number: int, _: FrameType | None) -> None:
        for one in _ENDINGS:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped(number)

    before = {one: signal.signal(one, end) for one in _ENDINGS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
