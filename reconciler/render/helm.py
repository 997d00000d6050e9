"""Owns rendering a chart with `helm template`, twice: no cluster, no network, no hooks, values in files only."""

from __future__ import annotations

import filecmp
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.errors import RenderError
from reconciler.model.objects import RenderedObject
from reconciler.render import intake, parsing, process
from reconciler.render.chart_text import CLOCK, DNS, LOOKUP, callers, has_packages
from reconciler.render.flux_chart import pack
from reconciler.render.generated import mark_generated
from reconciler.render.helm_values import Places, options, secrets
from reconciler.render.objects import Collector
from reconciler.render.post_render import PostRenderers
from reconciler.render.spec import KUBE_VERSION, RenderResult, RenderSpec, RenderTools
from reconciler.render.version import helm_version

_PLACE: Final = re.compile(r"(?:^|\(|template: |error on )([\w.@-]+(?:/[\w.@-]+)+)(?::(\d+))?")
_CLOCK_STEP: Final = 1.1  # seconds: times are mostly written to the second


def render_helm(places: Places, spec: RenderSpec, tools: RenderTools, home: Path) -> RenderResult:
    """Objects of the chart in `places.directory`, CRDs of `crds/` first.

    Raises RenderError with the template's file and line.
    """
    path, root = places.directory, places.root
    if not (path / "Chart.yaml").is_file():
        raise RenderError("no Chart.yaml: not a Helm chart", where=str(path), code="SS3004")
    copy = home / "render-input"
    entry = str(path.relative_to(root)) if path != root else ""
    intake.copy(intake.walk(path, root, recurse=True, manifests=False), root, copy)
    described = parsing.chart(home, copy / entry, Path(entry), checked=not spec.skip_schema_validation)
    name = spec.release_name or str(described.get("name") or "release")
    pack(copy / entry, described, spec.flux)
    command = (str(tools.helm), *_options(spec), *options(places, spec, home), "--", name, str(copy / entry))
    chart = _Chart(spec, command, home, root, copy, entry, PostRenderers(spec, tools.kubectl, home))
    objects, notes = _twice(chart)
    version = helm_version(tools.helm, home)
    return RenderResult(objects, notes, "helm", version, release=name, outside=places.outside(spec))


def _twice(chart: _Chart) -> tuple[tuple[RenderedObject, ...], tuple[str, ...]]:
    """The objects, with what is generated marked, and notes: the loud ones first.

    Always two renders, whatever the templates look like: sub-charts may be packed, and values may be templates.
    """
    clock = callers(chart.place, CLOCK)
    output = chart.template("helm")
    if clock or has_packages(chart.place):
        time.sleep(_CLOCK_STEP)
    again = chart.template("helm-again")
    first = chart.collect(output)
    objects, notes = chart.after.applied(first.objects), list[str]()
    if not filecmp.cmp(output, again, shallow=False):
        objects, notes = mark_generated(objects, chart.after.applied(chart.collect(again).objects))
    return objects, (*notes, *_hints(chart, clock, objects), *first.notes)


@dataclass(frozen=True, slots=True)
class _Chart:
    """A chart at `entry` of a copied source, and the command that renders it."""

    spec: RenderSpec
    command: Sequence[str]
    home: Path
    root: Path
    copy: Path
    entry: str
    after: PostRenderers

    @property
    def place(self) -> Path:
        return self.copy / self.entry

    def named(self, file: str) -> str:
        """A file of the chart as it is called in the source."""
        return f"{self.entry}/{file}" if self.entry else file

    def template(self, name: str) -> Path:
        """The file with what one run prints; `name` tells the runs apart. Raises RenderError."""
        done = process.run(
            self.command,
            home=self.home,
            name=name,
            environment=_environment(self.home),
            secrets=tuple(secrets(self.spec)),
        )
        if done.status:
            raise _failure(done.stderr, self.entry, self.copy)
        return done.output

    def collect(self, output: Path) -> Collector:
        """Objects and notes of one output. Raises RenderError."""
        collector = Collector(self.spec, "helm")
        origins = {"root": str(self.root), "entry": self.entry, "keep": True}
        rendered = parsing.Input(output, f"output of {self.entry or self.root.name}")
        collector.take(parsing.parse(self.home, [rendered], comments=True, origins=origins))
        return collector


def _hints(chart: _Chart, clock: Iterable[str], objects: Iterable[RenderedObject]) -> Iterator[str]:
    """Notes on templates whose output depends on what a render without a cluster, or a moment, cannot show."""
    changing = {found.provenance.file for found in objects if found.generated}
    for file in callers(chart.place, LOOKUP):
        yield f"{chart.named(file)} calls `lookup`, which finds nothing: rendering never reaches a cluster"
    for file in callers(chart.place, DNS):
        yield f"{chart.named(file)} calls `getHostByName`, which finds nothing: rendering asks no name server"
    for file in clock:
        if chart.named(file) not in changing and not Path(file).name.startswith("_"):
            yield f"{chart.named(file)} asks for the time: what changes by the hour or day is not seen as generated"


def _options(spec: RenderSpec) -> list[str]:
    command = ["template", "--skip-tests", "--no-hooks", "--dry-run=client"]
    namespace = spec.release_namespace or spec.namespace or "default"
    command += [f"--namespace={namespace}", f"--kube-version={spec.kube_version or KUBE_VERSION}"]
    command += ["--include-crds"] if spec.include_crds else ["--skip-crds"]
    command += [f"--api-versions={version}" for version in spec.api_versions]
    command += ["--skip-schema-validation"] if spec.skip_schema_validation else []
    command += ["--is-upgrade"] if spec.is_upgrade else []
    return command


def _environment(home: Path) -> dict[str, str]:
    """Helm's own directories inside the workspace, so that no plugin, repository or login of this user is seen."""
    registry = home / "registry.json"
    registry.write_text("{}")
    places = {f"HELM_{name}": str(home / "helm" / name.lower()) for name in ("CACHE_HOME", "CONFIG_HOME", "DATA_HOME")}
    return {
        **places,
        "HELM_PLUGINS": str(home / "helm" / "plugins"),
        "HELM_REGISTRY_CONFIG": str(registry),
    }


def _failure(stderr: str, entry: str, copy: Path) -> RenderError:
    """Helm's message in one piece, with the template's place in the repository in front."""
    text = stderr.partition("Error: ")[2] or stderr
    text = text.replace(f"{copy}/", "").replace("\n\nUse --debug flag to render out invalid YAML", "")
    text = " ".join(row.strip() for row in text.splitlines() if not row.startswith("Use --debug"))
    place = _PLACE.search(text)
    where = entry
    if place:
        where = "/".join(part for part in (entry, place[1].partition("/")[2]) if part)
        where += f":{place[2]}" if place[2] else ""
    return RenderError(f"helm failed: {text}", where=where, code="SS3011")
