"""How fast objects get their canonical form and are compared, and how a whole run grows with the number of objects.

    python bench/canonical.py                              the short form, about a minute
    python bench/canonical.py --runs 1000,10000,100000     the long form, several minutes and about 2 GB of memory

Input is parsed: reading YAML has a benchmark of its own (loader.py). Times are CPU seconds of one process, so of one
core; `loop` is the calibration loop of support/timing.py, timed in between. Asserts answers, never times.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable

import click
from support.large import Large, crd, large
from support.runs import Run, run
from support.timing import loop, seconds
from support.typical import KEY, context, live_bytes, typical

from reconciler.canonical.engine import Context, canonicalize
from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import compare
from reconciler.model.objects import Provenance, RenderedObject


@click.command()
@click.option("--objects", default=1_200, show_default=True, help="Typical objects of the first two tables.")
@click.option("--rounds", default=5, show_default=True, help="The best of so many is shown.")
@click.option("--scale", default=100, show_default=True, help="Size of the large objects, in percent of 400 KB.")
@click.option("--runs", default="1000,10000", show_default=True, help="Objects of whole runs.")
def main(objects: int, rounds: int, scale: int, runs: str) -> None:
    """Print the tables."""
    counts = [int(count) for count in runs.split(",")]
    _growth([run(count) for count in counts])
    _typical(typical(objects), rounds)
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


def _typical(rendered: list[RenderedObject], rounds: int) -> None:
    known = context()
    forms = [canonicalize(one, known) for one in rendered]
    live = [json.loads(live_bytes(form, one)) for form, one in zip(forms, rendered, strict=True)]
    forming = min(seconds(lambda: [canonicalize(one, known) for one in rendered]) for _ in range(rounds))
    times = []
    for form, tree in zip(forms, live, strict=True):
        twin = live_form(tree, KEY)
        if compare(form, twin).changes:
            raise SystemExit(f"{form.ref} differs from its twin")
        times.append(min(seconds(lambda form=form, twin=twin: compare(form, twin)) for _ in range(rounds)) * 1e3)
    print(f"typical objects ({len(rendered)} of {len({form.ref.kind for form in forms})} kinds), one core")
    print(f"canonicalize {len(rendered) / forming:.0f} objects/s ({forming / len(rendered) / loop():.2f} loops each)")
    cut = statistics.quantiles(times, n=100)
    print(f"compare      median {statistics.median(times):.3f} ms, p99 {cut[-1]:.3f} ms, most {max(times):.3f} ms")


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
