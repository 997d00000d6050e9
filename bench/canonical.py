"""How fast objects get their canonical form and are compared, and how a whole run grows with the number of objects.

    python bench/canonical.py                              the short form, about a minute
    python bench/canonical.py --runs 1000,10000,100000     the long form, several minutes and about 2 GB of memory

Input is parsed: reading YAML has a benchmark of its own (loader.py). Times are CPU seconds of one process, so of one
core; `loop` is the calibration loop of support/timing.py, timed in between. Asserts answers, never times.
Published sources are measured too where they are at hand ($SETSCREW_CORPUS, or shared/corpus beside the checkout).
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from functools import partial

import click
from support.large import Large, crd, large
from support.published import published
from support.runs import Run, run
from support.timing import loop, seconds
from support.typical import KEY, context, live_bytes, typical

from reconciler.canonical.engine import Context, canonicalize
from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import compare
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.schema.catalog import CRD


@click.command()
@click.option("--objects", default=1_200, show_default=True, help="Typical objects of the first two tables.")
@click.option("--rounds", default=5, show_default=True, help="The best of so many is shown.")
@click.option("--scale", default=100, show_default=True, help="Size of the large objects, in percent of 400 KB.")
@click.option("--runs", default="1000,10000", show_default=True, help="Objects of whole runs.")
def main(objects: int, rounds: int, scale: int, runs: str) -> None:
    """Print the tables."""
    counts = [int(count) for count in runs.split(",")]
    _growth([run(count) for count in counts])
    _all_objects(typical(objects), published(), rounds)
    _large(large(scale), rounds)


def _growth(runs: Iterable[Run]) -> None:
    print("a whole run, without Git and cluster: form, snapshot file, comparison of all objects")
    print(
        f"{'objects':>8} {'form':>8} {'again':>8} {'publish':>8} {'compare':>8} {'first run':>10} {'second run':>11}"
        f" {'per object':>11} {'peak':>8}"
    )
    for one in runs:
        steps = "".join(f"{step:>7.2f} s" for step in (one.assemble, one.again, one.publish, one.compare))
        whole = f"{one.first:>8.2f} s {one.second:>9.2f} s {one.first / one.objects * 1e6:>8.0f} us"
        print(f"{one.objects:>8}{steps} {whole} {one.peak:>4.0f} MiB")


def _all_objects(mixed: list[RenderedObject], others: list[RenderedObject], rounds: int) -> None:
    print(
        f"{'one core':<20} {'objects':>8} {'canonicalize':>13} {'loops':>6}"
        f" {'compare p50':>12} {'p99':>10} {'most':>10}"
    )
    _objects("typical", mixed, context(), rounds)
    if others:
        known = context(others)
        _objects("published", others, known, rounds)
        _objects("published, no CRDs", [one for one in others if one.ref.kind != CRD[1]], known, rounds)
    else:
        print("no published sources, or no tools to render them: see SETSCREW_CORPUS and `make setup`")


def _objects(name: str, rendered: list[RenderedObject], known: Context, rounds: int) -> None:
    forms = [canonicalize(one, known) for one in rendered]
    live = [live_form(json.loads(live_bytes(*pair)), KEY) for pair in zip(forms, rendered, strict=True)]
    pairs = list(zip(forms, live, strict=True))
    for form, twin in pairs:
        if found := compare(form, twin).changes:
            raise SystemExit(f"{form.ref} differs from its twin: {found[0].field}")
    forming = min(seconds(lambda: [canonicalize(one, known) for one in rendered]) for _ in range(rounds))
    times = sorted(min(seconds(partial(compare, *pair)) for _ in range(rounds)) * 1e3 for pair in pairs)
    speed, loops = len(rendered) / forming, forming / len(rendered) / loop()
    middle, late = statistics.median(times), times[int(len(times) * 0.99)]
    print(
        f"{name:<20} {len(rendered):>8} {speed:>11.0f}/s {loops:>6.2f} {middle:>9.3f} ms {late:>7.3f} ms"
        f" {times[-1]:>7.3f} ms"
    )


def _large(cases: Iterable[Large], rounds: int) -> None:
    known = context([RenderedObject(crd(), Provenance())])
    print(f"{'large objects':<27} {'live':>8} {'canonicalize':>13} {'compare':>10}  answer")
    for case in cases:
        _row(case, known, rounds)


def _row(case: Large, known: Context, rounds: int) -> None:
    form, live = canonicalize(case.rendered, known), live_form(case.live, KEY)
    found = compare(form, live)
    if found.verdict != case.verdict:
        raise SystemExit(f"{case.name}: the verdict is {found.verdict}, not {case.verdict}")
    forming = min(seconds(lambda: canonicalize(case.rendered, known)) for _ in range(rounds)) * 1e3
    comparing = min(seconds(lambda: compare(form, live)) for _ in range(rounds)) * 1e3
    answer = f"{len(found.changes)} changes, first {found.changes[0].field[-40:]}" if found.changes else "same"
    print(f"{case.name:<27} {case.kib:>4.0f} KiB {forming:>10.2f} ms {comparing:>7.2f} ms  {answer}")


if __name__ == "__main__":
    main()
