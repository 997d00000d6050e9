"""Owns how to render: RenderSpec, RenderTools, RenderResult, and reading a spec from a source document. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from reconciler.model.objects import RenderedObject
from reconciler.render.edits import Edits, parse_edits
from reconciler.render.fields import Fields
from reconciler.render.flux import Flux, parse_flux

Kind = Literal["Auto", "YAML", "Kustomize", "Helm"]
KINDS: Final[tuple[Kind, ...]] = ("Auto", "YAML", "Kustomize", "Helm")
Tool = Literal["", "ArgoCD", "Flux"]
TOOLS: Final[tuple[Tool, ...]] = ("", "ArgoCD", "Flux")
KUBE_VERSION: Final = "1.36.3"


@dataclass(frozen=True, slots=True)
class RenderTools:
    """Absolute paths of the pinned renderers."""

    helm: Path
    kubectl: Path

    def identity(self) -> str:
        """What changes with the binaries; what is missing counts as such."""
        facts = (file.stat() if file.exists() else None for file in (self.helm, self.kubectl))
        return " ".join(f"{one.st_mtime_ns}:{one.st_size}" if one else "none" for one in facts)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What charts are told about a cluster: `1.36.3`, and what it serves: `group/version`, `group/version/Kind`."""

    kube_version: str = KUBE_VERSION
    api_versions: tuple[str, ...] = ()

    @classmethod
    def of(cls, kube_version: str, kinds: Iterable[tuple[str, str, str]]) -> Capabilities:
        """Those of an API server of this version that serves `kinds`, each as (group, version, kind)."""
        served = {(f"{group}/{version}" if group else version, kind) for group, version, kind in kinds}
        names = {group_version for group_version, _ in served} | {"/".join(pair) for pair in served}
        return cls(kube_version, tuple(sorted(names)))


NO_CLUSTER: Final = Capabilities()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value of a chart, by Helm's own path to it: `image.tag`, `hosts[0].name`; wins over all values.

    `value` is a number or boolean where it looks like one, unless `as_text`. With `from_file` it is the path of a file
    whose text is the value.
    """

    name: str
    value: str = ""
    as_text: bool = False
    from_file: bool = False


@dataclass(frozen=True, slots=True)
class RenderSpec:
    """How to turn a directory into objects.

    `release_name` "" means the chart's name. `namespace` is the one in which objects without a namespace are taken to
    stand, and the release's unless `release_namespace` says another. `value_files` are relative to the rendered
    directory and stay inside the repository; absolute ones are for a person's own `--values`; `$name/path` is a file of
    a repository `beside` (names and commits); with `ignore_missing_value_files` one may be absent. After them come
    `values`, or the same as YAML in `values_text`, and then `parameters`. `recurse`, `include` and `exclude` (globs
    over paths relative to the directory) are for plain YAML only, `kustomize` for kustomizations. `tool` is whose
    habits hold: what it takes for hooks, passes over, or declares twice. `unread` are files of the directory that it
    would read and we do not: where one is there, nothing is rendered. `kube_version` "" is the cluster's, or the
    pinned one without any. `source` and `revision` go into each object's provenance.
    """

    kind: Kind = "Auto"
    release_name: str = ""
    namespace: str = ""
    value_files: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    include_crds: bool = True
    recurse: bool = False
    source: str = ""
    revision: str = ""
    release_namespace: str = ""
    ignore_missing_value_files: bool = False
    parameters: tuple[Parameter, ...] = ()
    skip_schema_validation: bool = False
    is_upgrade: bool = False
    include: str = ""
    exclude: str = ""
    kustomize: Edits = field(default_factory=Edits)
    beside: tuple[tuple[str, str], ...] = ()
    values_text: str = ""
    tool: Tool = ""
    unread: tuple[str, ...] = ()
    flux: Flux = field(default_factory=Flux)

    def on(self, cluster: Capabilities) -> RenderSpec:
        """The same for a cluster: its version unless the source names one, and what it serves besides.

        To Argo CD, what a source names is all that is served.
        """
        named = self.tool == "ArgoCD" and self.api_versions
        served = tuple(dict.fromkeys((*self.api_versions, *(() if named else cluster.api_versions))))
        return replace(self, kube_version=self.kube_version or cluster.kube_version, api_versions=served)


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What a directory says: its objects in the order rendered, remarks for people, and what rendered it.

    `outside` are the places of the repository that were read beside the directory, "" for all of it.
    """

    objects: tuple[RenderedObject, ...]
    notes: tuple[str, ...]
    kind: str  # "helm", "kustomize" or "yaml"
    renderer_version: str
    release: str = ""  # the Helm release, "" for the others
    outside: tuple[str, ...] = ()


def parse_render(mapping: Mapping[str, Any], *, source: str = "", revision: str = "") -> RenderSpec:
    """The `spec.render` of a GitSource, from Git and so not trusted: absolute value files are refused.

    Raises UsageError that names the field.
    """
    fields = Fields(mapping, "spec.render")
    kind = fields.text("kind") or "Auto"
    if kind not in KINDS:
        raise fields.wrong("kind", f"{kind!r} is none of {', '.join(KINDS)}")
    tool = fields.text("tool")
    if tool not in TOOLS:
        raise fields.wrong("tool", f"{tool!r} is none of {', '.join(filter(None, TOOLS))}")
    values = {} if fields.any("values") is None else fields.any("values")
    if not isinstance(values, Mapping | str):
        raise fields.wrong("values", "must be a mapping, or YAML in a text")
    spec = RenderSpec(
        kind=kind,
        release_name=fields.text("releaseName"),
        namespace=fields.text("namespace"),
        value_files=_value_files(fields),
        values=values if isinstance(values, Mapping) else {},
        kube_version=fields.text("kubeVersion"),
        api_versions=fields.strings("apiVersions"),
        include_crds=fields.flag("includeCRDs", default=True),
        recurse=fields.flag("recurse"),
        source=source,
        revision=revision,
        release_namespace=fields.text("releaseNamespace"),
        ignore_missing_value_files=fields.flag("ignoreMissingValueFiles"),
        parameters=(*_parameters(fields), *_file_parameters(fields)),
        skip_schema_validation=fields.flag("skipSchemaValidation"),
        is_upgrade=fields.flag("isUpgrade"),
        include=fields.text("include"),
        exclude=fields.text("exclude"),
        kustomize=parse_edits(fields.mapping("kustomize"), "spec.render.kustomize"),
        tool=tool,
        unread=fields.strings("unread"),
        flux=parse_flux(fields.mapping("flux"), "spec.render.flux", revision),
        values_text=values if isinstance(values, str) else "",
    )
    fields.done()
    return spec


def _value_files(fields: Fields) -> tuple[str, ...]:
    files = fields.strings("valueFiles")
    for name in files:
        _relative(name, fields, "valueFiles")
    return files


def _parameters(fields: Fields) -> Iterator[Parameter]:
    for mapping in fields.mappings("parameters"):
        one = Fields(mapping, "spec.render.parameters")
        parameter = Parameter(one.text("name"), one.text("value"), as_text=one.flag("forceString"))
        one.done()
        yield _named(parameter, one)


def _file_parameters(fields: Fields) -> Iterator[Parameter]:
    for mapping in fields.mappings("fileParameters"):
        one = Fields(mapping, "spec.render.fileParameters")
        parameter = Parameter(one.text("name"), one.text("path"), from_file=True)
        one.done()
        _relative(parameter.value, one, "path")
        yield _named(parameter, one)


def _named(parameter: Parameter, fields: Fields) -> Parameter:
    if not parameter.name or "=" in parameter.name:
        raise fields.wrong("name", "must be a path such as image.tag")
    return parameter


def _relative(name: str, fields: Fields, key: str) -> None:
    if not name or name.startswith("/") or "://" in name or "\0" in name:
        raise fields.wrong(key, f"{name!r} is not a path relative to spec.path")
