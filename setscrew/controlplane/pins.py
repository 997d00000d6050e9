"""Owns the pinned tools: module, packages, versions and build flags; must not touch the disk or start anything.

The versions repeat what tools/*/go.mod require (a test holds them together) and judge binaries found elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KUBERNETES_VERSION: Final = "1.36.3"
HELM_VERSION: Final = "4.3.1"
ETCD_VERSION: Final = "3.6.16"
ENVTEST_VERSION: Final = "1.36.x"

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


def _kubernetes_ldflags() -> str:
    major, minor, _ = KUBERNETES_VERSION.split(".")
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X {package}.{name}={value}" for name, value in stamps.items())])


KUBERNETES: Final = Module("kubernetes", KUBERNETES_VERSION, _kubernetes_ldflags())
HELM: Final = Module("helm", HELM_VERSION, f"-s -w -X helm.sh/helm/v4/internal/version.version=v{HELM_VERSION}")
ETCD: Final = Module("etcd", ETCD_VERSION, "-s -w")
MODULES: Final = (ETCD, HELM, KUBERNETES)

_KUBERNETES_SERVER_PATTERN: Final = r"^Kubernetes v(\S+)"

TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("etcd", ETCD, "go.etcd.io/etcd/server/v3", "3.6", ("--version",), r"etcd Version: (\S+)", envtest=True),
        Tool(
            "kube-apiserver",
            KUBERNETES,
            "k8s.io/kubernetes/cmd/kube-apiserver",
            "1.36",
            ("--version",),
            _KUBERNETES_SERVER_PATTERN,
            envtest=True,
        ),
        Tool(
            "kube-controller-manager",
            KUBERNETES,
            "k8s.io/kubernetes/cmd/kube-controller-manager",
            "1.36",
            ("--version",),
            _KUBERNETES_SERVER_PATTERN,
        ),
        Tool(
            "kubectl",
            KUBERNETES,
            "k8s.io/kubernetes/cmd/kubectl",
            "1.36",
            ("version", "--client"),
            r"Client Version: v(\S+)",
            envtest=True,
        ),
        Tool("helm", HELM, "helm.sh/helm/v4/cmd/helm", "4", ("version", "--short"), r"v(\d\S*)"),
    )
}
