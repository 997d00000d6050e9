"""Owns the pinned tools: module, packages, versions and build flags; must not touch the disk or start anything.

The versions repeat what tools/*/go.mod require (a test holds them together) and judge binaries found elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.errors import UsageError

KUBERNETES_VERSION: Final = "1.36.3"
OLDER_VERSIONS: Final = ("1.35.4", "1.34.4")
"""Further releases whose API server and controllers can be asked for, one a minor, newest first."""
HELM_VERSION: Final = "4.3.1"
ETCD_VERSION: Final = "3.6.16"

MINOR_VARIABLE: Final = "SETSCREW_KUBERNETES"
"""Names the minor of the control plane: `1.35`. Unset or empty: that of `KUBERNETES_VERSION`."""

BUILD_ENVIRONMENT: Final = {"CGO_ENABLED": "0", "GOWORK": "off"}
"""Static binaries, and no workspace file of a parent directory that would change what is built."""


@dataclass(frozen=True, slots=True)
class Module:
    """One go.mod under tools/: what is built together has one digest."""

    name: str
    version: str
    ldflags: str

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of `go build`; equal flags hit Go's own cache."""
        return ("-trimpath", "-ldflags", self.ldflags)


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: where it is built from, and how its version is asked for and recognised."""

    name: str
    module: Module
    package: str
    accepts: str
    ask: tuple[str, ...]
    pattern: str
    envtest: bool = False

    @property
    def attribute(self) -> str:
        """The name as a Python word: `kube_apiserver`."""
        return self.name.replace("-", "_")

    def fits(self, version: str) -> bool:
        """Whether `version` (without a leading v) is of the accepted line: `1.36` accepts 1.36.0 and 1.36.3."""
        return version == self.accepts or version.startswith((f"{self.accepts}.", f"{self.accepts}-"))


def minor_of(version: str) -> str:
    """`1.36` of `1.36.3`."""
    return ".".join(version.split(".")[:2])


def _kubernetes(version: str) -> Module:
    major, minor, _ = version.split(".")
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    name = "kubernetes" if version == KUBERNETES_VERSION else f"kubernetes-{minor_of(version)}"
    return Module(name, version, " ".join(["-s -w", *(f"-X {package}.{key}={one}" for key, one in stamps.items())]))


KUBERNETES: Final = _kubernetes(KUBERNETES_VERSION)
HELM: Final = Module("helm", HELM_VERSION, f"-s -w -X helm.sh/helm/v4/internal/version.version=v{HELM_VERSION}")
ETCD: Final = Module("etcd", ETCD_VERSION, "-s -w")


def envtest_version(tool: Tool) -> str:
    """Which release of Kubernetes `setup-envtest` is asked for to get `tool`; it packs etcd beside the servers."""
    release = KUBERNETES_VERSION if tool.module is ETCD else tool.module.version
    return f"{minor_of(release)}.x"


def _server(name: str, module: Module, *, envtest: bool = False) -> Tool:
    package, pattern = f"k8s.io/kubernetes/cmd/{name}", r"^Kubernetes v(\S+)"
    return Tool(name, module, package, minor_of(module.version), ("--version",), pattern, envtest=envtest)


def _tools(kubernetes: Module) -> Mapping[str, Tool]:
    """All tools with the servers of `kubernetes`; kubectl stays the newest, since it also renders kustomizations."""
    ask, client = ("version", "--client"), minor_of(KUBERNETES_VERSION)
    tools = (
        Tool("etcd", ETCD, "go.etcd.io/etcd/server/v3", "3.6", ("--version",), r"etcd Version: (\S+)", envtest=True),
        _server("kube-apiserver", kubernetes, envtest=True),
        _server("kube-controller-manager", kubernetes),
        Tool(
            "kubectl", KUBERNETES, "k8s.io/kubernetes/cmd/kubectl", client, ask, r"Client Version: v(\S+)", envtest=True
        ),
        Tool("helm", HELM, "helm.sh/helm/v4/cmd/helm", "4", ("version", "--short"), r"v(\d\S*)"),
    )
    return {tool.name: tool for tool in tools}


TOOLS_BY_MINOR: Final = {
    minor_of(version): _tools(_kubernetes(version)) for version in (KUBERNETES_VERSION, *OLDER_VERSIONS)
}
TOOLS: Final = TOOLS_BY_MINOR[minor_of(KUBERNETES_VERSION)]


def tools_of(environ: Mapping[str, str]) -> Mapping[str, Tool]:
    """The tools of the minor that the environment names. Raises UsageError for one that is not pinned."""
    minor = environ.get(MINOR_VARIABLE) or minor_of(KUBERNETES_VERSION)
    if minor not in TOOLS_BY_MINOR:
        known = ", ".join(TOOLS_BY_MINOR)
        raise UsageError(f"no Kubernetes {minor} is pinned here", where=MINOR_VARIABLE, hint=f"one of {known}")
    return TOOLS_BY_MINOR[minor]
