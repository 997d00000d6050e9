"""Holds the pinned versions and the go.mod files together."""

from __future__ import annotations

import pytest

from setscrew.controlplane.cache import modules_root
from setscrew.controlplane.pins import ETCD_VERSION, HELM_VERSION, KUBERNETES_VERSION, TOOLS, Tool


@pytest.mark.parametrize(
    ("module", "requirement"),
    [
        ("kubernetes", f"k8s.io/kubernetes v{KUBERNETES_VERSION}"),
        ("helm", f"helm.sh/helm/v4 v{HELM_VERSION}"),
        ("etcd", f"go.etcd.io/etcd/server/v3 v{ETCD_VERSION}"),
    ],
)
def test_the_pins_say_what_go_mod_requires(module: str, requirement: str) -> None:
    lines = [line.split("//")[0].strip() for line in (modules_root() / module / "go.mod").read_text().splitlines()]
    assert requirement in lines


def test_all_staging_modules_are_replaced_by_the_same_release() -> None:
    staging = f"v0.{KUBERNETES_VERSION.split('.', 1)[1]}"
    lines = (modules_root() / "kubernetes" / "go.mod").read_text().splitlines()
    replaced = [line.split("=>")[1].split()[-1] for line in lines if "=>" in line]
    assert len(replaced) == 33
    assert set(replaced) == {staging}


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_every_tool_is_named_in_its_go_mod_and_accepts_its_own_pin(tool: Tool) -> None:
    words = (modules_root() / tool.module.name / "go.mod").read_text().split()
    assert tool.package in words
    assert tool.fits(tool.module.version)
