"""Owns the command `check`: what is wrong with a file or repository before it is pushed. Must not judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from setscrew.checking.finding import SEVERITIES, Finding
from setscrew.cli.common import (
    EXISTING,
    finish,
    note,
    output_option,
    print_json,
    print_yaml,
    render_options,
    rendered,
    tools,
)


@click.command()
@click.argument("path", type=EXISTING)
@click.option(
    "--context", "context_files", type=EXISTING, multiple=True, help="More objects of the world: CRDs, live objects."
)
@render_options
@output_option("table", "json", "yaml", default="table")
def check(
    path: Path,
    context_files: tuple[Path, ...],
    namespace: str,
    value_files: tuple[Path, ...],
    release: str,
    output: str,
) -> None:
    r"""Say what is wrong with PATH, a file or a repository, before it is pushed. Exit status 1: an error was found.

    Finds what cannot be parsed or rendered, documents of Setscrew with wrong fields, objects that no API server takes,
    and GPU classes that cannot work: impossible MIG layouts, names taken twice, quotas that do not fit … An error would
    keep the revision, or the object, out of the cluster; a warning is worth a look. No cluster is asked.

    Charts and kustomizations below PATH are rendered, each by itself (--values and --release are for PATH itself), and
    everything else with apiVersion and kind is plain YAML. A GitSource among the files says how its path is rendered.
    Directories that declare the same object are taken for different clusters.

    \b
    setscrew check .
    setscrew check deploy/prod --context crds.yaml -o json
    setscrew check charts/queues --values prod.yaml
    """
    from reconciler.render.spec import RenderSpec
    from setscrew.checking.check import check as run
    from setscrew.checking.gathering import Options

    context = tuple(one for file in context_files for one in rendered(file).objects)
    spec = RenderSpec(
        release_name=release,
        namespace=namespace,
        value_files=tuple(str(file.absolute()) for file in value_files),
    )
    found = run(Options(path, tools, context, spec))
    _print(found.findings, output)
    note([f"{found.objects} objects of {found.files} files and {found.rendered} renders: {_counted(found.findings)}"])
    finish(1 if any(one.severity == "error" for one in found.findings) else 0)


def _counted(findings: Sequence[Finding]) -> str:
    times = Counter(one.severity for one in findings)
    said = [f"{times[severity]} {severity}{'s' * (times[severity] > 1)}" for severity in SEVERITIES if times[severity]]
    return ", ".join(said) or "nothing found"


def _print(findings: Sequence[Finding], output: str) -> None:
    report = {"findings": [asdict(one) for one in findings]}
    if output == "json":
        print_json(report)
    elif output == "yaml":
        print_yaml([report])
    elif findings:
        from setscrew.cli.table import print_rows

        print_rows(["PLACE", "SEVERITY", "RULE", "WHAT"], map(_row, findings))


def _row(one: Finding) -> list[str | list[str]]:
    said = [*filter(None, [one.object]), one.message, f"→ {one.fix}"]
    return [f"{one.file}:{one.line}", one.severity, one.rule, said]
