"""Owns how the demo looks: headings, commands, answers, a progress bar on a terminal. Must not run or judge anything.

What a command prints is passed on byte for byte: no wrapping, no colours, no indentation.
"""

from __future__ import annotations

import shlex
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.text import Text

from setscrew.demo.step import Answer, Chapter, Outcome, Step

_PROSE_WIDTH: Final = 100
_WORDS: Final = {
    "refused": "refused",
    "allowed": "allowed",
    "drift": "reports drift",
    "failed": "failed for another reason",
}
_NARROWEST_TABLE: Final = 120


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that reaches the terminal as it is."""

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One segment: rich neither wraps nor crops it where the caller prints with `soft_wrap`."""
        yield Segment(self.text if self.text.endswith("\n") else f"{self.text}\n")


@dataclass(slots=True)
class Show:
    """Prints one run of `total` steps; use as a context manager. The bar exists on a terminal only."""

    console: Console
    total: int
    _began: float = field(default_factory=time.monotonic)
    _number: int = 0
    _progress: Progress = field(init=False)
    _task: TaskID = field(init=False)

    def __post_init__(self) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("the stage", total=self.total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def columns(self) -> int | None:
        """The width for tables of other commands, on a terminal."""
        return max(self.console.width, _NARROWEST_TABLE) if self.console.is_terminal else None

    def chapter(self, chapter: Chapter) -> None:
        """The heading of a chapter."""
        self.console.print()
        self.console.print(Text(f"━━ {chapter.title} ", style="bold cyan"))
        if chapter.text:
            self.prose(chapter.text)

    def prose(self, text: str, indent: int = 0) -> None:
        """A paragraph, wrapped for reading."""
        margin = " " * indent
        width = min(_PROSE_WIDTH, self.console.width)
        wrapped = textwrap.fill(text, width, initial_indent=margin, subsequent_indent=margin, break_long_words=False)
        self.console.print(Text(wrapped), soft_wrap=True)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Something that takes a while: named while it lasts, then its time."""
        self._progress.update(self._task, description=what)
        began = time.monotonic()
        yield
        line = Text.assemble(("  · ", "dim"), what, (f"  {time.monotonic() - began:.1f} s", "dim"))
        self.console.print(line, soft_wrap=True)

    def verbatim(self, text: str) -> None:
        """What a program has printed."""
        if text:
            self.console.print(Verbatim(text), soft_wrap=True, end="")

    def announce(self, step: Step, argv: Sequence[str]) -> None:
        """What is about to happen, why, and the answer that is expected."""
        self._number += 1
        self._progress.update(self._task, description=step.title)
        style = "red" if step.expect == "refused" else "green"
        head = Text.assemble((f"[{self._number}/{self.total}] {step.title}", "bold"))
        self.console.print()
        self.console.print(head, soft_wrap=True)
        self.prose(step.why, 2)
        self.console.print(Text.assemble("  Expected: ", (_word(step, step.expect), style)))
        self.console.print(
            Text(f"{step.who} $ {typed(argv, step.stdin, step.editor)}", style="bold yellow"), soft_wrap=True
        )

    def outcome(self, outcome: Outcome) -> None:
        """The output as it is, the verdict, and what was seen afterwards."""
        self.verbatim(outcome.output)
        mark, style = ("✓", "green") if outcome.right else ("✗", "bold red")
        self.console.print(
            Text.assemble(
                (f"  {mark} {_word(outcome.step, outcome.answer)}", style), (f"  {outcome.seconds:.2f} s", "dim")
            )
        )
        for text in outcome.missing:
            self.console.print(Text(f"  ✗ the answer does not contain {text!r}", style="bold red"), soft_wrap=True)
        for held in outcome.held:
            self._held(held.right, held.check.says, held.check.wants, held.seen, held.seconds)
        self._progress.advance(self._task)

    def _held(self, right: bool, says: str, wants: str, seen: str, seconds: float) -> None:
        if right:
            line = Text.assemble(("  ✓ ", "green"), says, (f"  {seconds:.2f} s after the command began", "dim"))
        else:
            line = Text(f"  ✗ expected: {says} ({wants!r}); seen: {seen!r}", style="bold red")
        self.console.print(line, soft_wrap=True)

    def closing(self, outcomes: Sequence[Outcome]) -> None:
        """How many steps came out as announced, and how long it all took."""
        wrong = [outcome.step.title for outcome in outcomes if not outcome.right]
        right = len(outcomes) - len(wrong)
        self.console.print()
        style = "bold red" if wrong else "bold green"
        line = (
            f"{right} of {len(outcomes)} steps were answered as announced, in {time.monotonic() - self._began:.0f} s."
        )
        self.console.print(Text(line, style=style), soft_wrap=True)
        for title in wrong:
            self.console.print(Text(f"  ✗ {title}", style="red"), soft_wrap=True)


def _word(step: Step, answer: Answer) -> str:
    """Only an API server allows; other programs succeed."""
    return "succeeds" if answer == "allowed" and step.argv[0] != "kubectl" else _WORDS[answer]


def typed(argv: Sequence[str], stdin: str = "", editor: str = "") -> str:
    """The command as one would type it, with its editor before and its input as a here-document after."""
    line = f'KUBE_EDITOR="{editor}" {shlex.join(argv)}' if editor else shlex.join(argv)
    return f"{line} <<'EOF'\n{stdin}EOF" if stdin else line
