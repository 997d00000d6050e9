"""Owns how to render: RenderSpec, RenderTools, RenderResult, and reading a spec from a source document. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

from reconciler.errors import UsageError
from reconciler.model.objects import RenderedObject

Kind = Literal["Auto", "YAML", "Kustomize", "Helm"]
KINDS: Final[tuple[Kind, ...]] = ("Auto", "YAML", "Kustomize", "Helm")
KUBE_VERSION: Final = "1.36.3"
_FIELDS: Final = {
    "kind": str,
    "releaseName": str,
    "namespace": str,
    "valueFiles": list,
    "values": dict,
    "kubeVersion": str,
    "apiVersions": list,
    "includeCRDs": bool,
    "recurse": bool,
}


@dataclass(frozen=True, slots=True)
class RenderTools:
    """Absolute paths of the pinned renderers."""

    helm: Path
    kubectl: Path


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
class RenderSpec:
    """How to turn a directory into objects.

    `release_name` "" means the chart's name. `namespace` is the release namespace, and the one in which objects
    without a namespace are taken to stand when duplicates are looked for. `value_files` are relative to the rendered
    directory and stay inside the repository; absolute ones are for a person's own `--values`. `recurse` is for plain
    YAML directories only. `kube_version` "" is the cluster's, or the pinned one without any. `source` and `revision` go
    into each object's provenance.
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

    def on(self, cluster: Capabilities) -> RenderSpec:
        """The same for a cluster: its version unless the source names one, and what it serves besides."""
        served = tuple(dict.fromkeys((*self.api_versions, *cluster.api_versions)))
        return replace(self, kube_version=self.kube_version or cluster.kube_version, api_versions=served)


@dataclass(frozen=True, slots=True)
class RenderResult:
    """What a directory says: its objects in the order rendered, remarks for people, and what rendered it."""

    objects: tuple[RenderedObject, ...]
    notes: tuple[str, ...]
    kind: str  # "helm", "kustomize" or "yaml"
    renderer_version: str
    release: str = ""  # the Helm release, "" for the others


def parse_render(mapping: Mapping[str, Any], *, source: str = "", revision: str = "") -> RenderSpec:
    """The `spec.render` of a GitSource, from Git and so not trusted: absolute value files are refused.

    Raises UsageError that names the field.
    """
    for key, value in mapping.items():
        if key not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise UsageError(f"unknown field {key!r}", where="spec.render", hint=f"known: {known}")
        if not isinstance(value, _FIELDS[key]):
            raise UsageError(f"must be a {_FIELDS[key].__name__}", where=f"spec.render.{key}")
    kind = mapping.get("kind", "Auto")
    if kind not in KINDS:
        raise UsageError(f"{kind!r} is none of {', '.join(KINDS)}", where="spec.render.kind")
    return RenderSpec(
        kind=cast("Kind", kind),
        release_name=mapping.get("releaseName", ""),
        namespace=mapping.get("namespace", ""),
        value_files=_value_files(mapping),
        values=mapping.get("values", {}),
        kube_version=mapping.get("kubeVersion", ""),
        api_versions=_strings(mapping, "apiVersions"),
        include_crds=mapping.get("includeCRDs", True),
        recurse=mapping.get("recurse", False),
        source=source,
        revision=revision,
    )


def _value_files(mapping: Mapping[str, Any]) -> tuple[str, ...]:
    files = _strings(mapping, "valueFiles")
    for name in files:
        if name.startswith("/") or "://" in name or "\0" in name:
            raise UsageError(f"{name!r} is not a path relative to spec.path", where="spec.render.valueFiles")
    return files


def _strings(mapping: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = mapping.get(key, [])
    if not all(isinstance(value, str) and value for value in values):
        raise UsageError("must be a list of strings", where=f"spec.render.{key}")
    return tuple(values)
