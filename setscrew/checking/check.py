"""Owns the order of a check: read, render, judge one by one, judge together, say where. Must not print.

One bad file hides nothing of the others: each step goes on with what the step before could read.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reconciler.model.objects import RenderedObject
from reconciler.model.tree import Tree
from reconciler.policy.expiry import active
from reconciler.render.embedded_loader import load_embedded
from setscrew import configuration
from setscrew.checking.finding import Finding, Shown
from setscrew.checking.gathering import Gathering, Options
from setscrew.checking.judging import Judge, as_finding
from setscrew.checking.lines import lines_of
from setscrew.checking.rendering import Declared
from setscrew.checking.roots import find_roots
from setscrew.checking.worlds import Rules, twice
from setscrew.cli.common import offline_context


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, sorted by place; how many files of plain YAML, renders and objects there are."""

    findings: tuple[Finding, ...]
    files: int
    rendered: int
    objects: int


def check(options: Options) -> Checked:
    """Check a file or directory. Raises ToolMissingError where a renderer is missing that is needed."""
    with _uncollected():
        return _check(options)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Trees have no cycles: the collector would walk all of them again and again, and find nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _check(options: Options) -> Checked:
    roots = find_roots(options.path.absolute())
    gathering = Gathering(options, roots)
    gathering.plain(roots.files)
    rendered = gathering.render()
    findings = {*gathering.findings, *_judged(gathering, options)}
    order = sorted(findings, key=lambda one: (one.file, one.line, one.rule, one.object, one.message))
    return Checked(tuple(order), len(roots.files), rendered, len(gathering.declared))


def _judged(gathering: Gathering, options: Options) -> Iterator[Finding]:
    rules, _ = active(configuration.load(None).rules, datetime.now(UTC).date())
    everything = [one.rendered for one in gathering.declared]
    context = offline_context(rules, [*everything, *options.context], namespace=options.spec.namespace)
    judge = Judge(context)
    declared, faults = judge.judged(gathering.declared)
    faults += [*gathering.faults, *judge.unknown(), *twice(declared, gathering.rivals)]
    trees: list[Tree] = [one.rendered.tree for one in judge.judged(_as_declared(options.context))[0]]
    faults += Rules(load_embedded, configuration.mig_table(more=gathering.profiles), trees).faults(
        declared, gathering.rivals
    )
    shown = Shown(options.path)
    for fault, line in zip(faults, lines_of(faults), strict=True):
        yield as_finding(fault, shown.name(fault.declared.file), line)


def _as_declared(objects: Iterable[RenderedObject]) -> Iterator[Declared]:
    return (Declared(one, Path(one.provenance.file), one.provenance.line, ()) for one in objects)
