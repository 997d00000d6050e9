"""Holds the pinned versions and the go.mod files together."""

from __future__ import annotations

import pytest

from reconciler.errors import UsageError
from setscrew.controlplane.cache import modules_root
from setscrew.controlplane.pins import (
    ETCD_VERSION,
    HELM_VERSION,
    KUBERNETES_VERSION,
    OLDER_VERSIONS,
    TOOLS,
    TOOLS_BY_MINOR,
    Tool,
    envtest_version,
    minor_of,
    tools_of,
)

_KUBERNETES = {"kubernetes": KUBERNETES_VERSION} | {f"kubernetes-{minor_of(one)}": one for one in OLDER_VERSIONS}
_EVERY = {(tool.module.name, tool.name): tool for tools in TOOLS_BY_MINOR.values() for tool in tools.values()}


@pytest.mark.parametrize(
    ("module", "requirement"),
    [
        *((name, f"k8s.io/kubernetes v{version}") for name, version in _KUBERNETES.items()),
        ("helm", f"helm.sh/helm/v4 v{HELM_VERSION}"),
        ("etcd", f"go.etcd.io/etcd/server/v3 v{ETCD_VERSION}"),
    ],
)
def test_the_pins_say_what_go_mod_requires(module: str, requirement: str) -> None:
    lines = [line.split("//")[0].strip() for line in (modules_root() / module / "go.mod").read_text().splitlines()]
    assert {requirement, f"require {requirement}"} & set(lines)


@pytest.mark.parametrize(("module", "version"), _KUBERNETES.items())
def test_all_staging_modules_are_replaced_by_the_same_release(module: str, version: str) -> None:
    staging = f"v0.{version.split('.', 1)[1]}"
    lines = (modules_root() / module / "go.mod").read_text().splitlines()
    replaced = [line.split("=>")[1].split()[-1] for line in lines if "=>" in line]
    assert len(replaced) == (33 if version == KUBERNETES_VERSION else 31)
    assert set(replaced) == {staging}


@pytest.mark.parametrize("tool", _EVERY.values(), ids=[" ".join(key) for key in _EVERY])
def test_every_tool_is_named_in_its_go_mod_and_accepts_its_own_pin(tool: Tool) -> None:
    words = (modules_root() / tool.module.name / "go.mod").read_text().split()
    assert tool.package in words
    assert tool.fits(tool.module.version)


def test_another_minor_has_servers_of_its_own_and_the_same_kubectl() -> None:
    older = tools_of({"SETSCREW_KUBERNETES": "1.35"})
    assert {name for name in TOOLS if older[name] != TOOLS[name]} == {"kube-apiserver", "kube-controller-manager"}
    assert older["kube-apiserver"].accepts == "1.35"
    assert [envtest_version(older[name]) for name in ("etcd", "kube-apiserver", "kubectl")] == [
        *("1.36.x", "1.35.x", "1.36.x")
    ]


@pytest.mark.parametrize("environ", [{}, {"SETSCREW_KUBERNETES": ""}])
def test_unasked_it_is_the_newest(environ: dict[str, str]) -> None:
    assert tools_of(environ) is TOOLS


def test_a_minor_that_is_not_pinned_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no Kubernetes 1\.20 is pinned here.*one of 1\.36, 1\.35, 1\.34"):
        tools_of({"SETSCREW_KUBERNETES": "1.20"})
