"""The charts of GPU operators and device plugins, rendered as they come, break no rule about GPU classes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reconciler.gpu.checker import problems
from reconciler.gpu.rules import CHECKERS
from reconciler.gpu.world import World, by_kind
from reconciler.render.renderer import render
from reconciler.render.spec import RenderSpec, RenderTools
from setscrew.configuration import mig_table
from setscrew.controlplane import Tools
from tests.support.corpus import CORPUS, Entry, entries

pytestmark = pytest.mark.integration

LAYOUTS = """
version: v1
mig-configs:
  all-disabled: [{devices: all, mig-enabled: false}]
  balanced: [{device-filter: '0x233010DE', devices: all, mig-enabled: true, mig-devices: {1g.10gb: 2, 3g.40gb: 1}}]
"""
SHARING = """
version: v1
sharing: {timeSlicing: {failRequestsGreaterThanOne: true, resources: [{name: nvidia.com/gpu, replicas: 4}]}}
"""
VALUES = {
    "mig": {"strategy": "mixed"},
    "migManager": {"config": {"create": True, "name": "layouts", "data": {"config.yaml": LAYOUTS}}},
}


def world(trees: list[object]) -> World:
    return World(by_kind(trees), yaml.safe_load, mig_table())


@pytest.mark.parametrize("entry", entries())
def test_a_chart_breaks_no_rule_about_gpu_classes(entry: Entry, tools: Tools) -> None:
    trees = [one.tree for one in entry.rendered(tools)]
    assert trees
    assert [found for found in problems(world(trees), CHECKERS) if found.severity == "error"] == []


@pytest.mark.skipif(not (CORPUS / "gpu-operator").is_dir(), reason=f"no corpora at {CORPUS}")
@pytest.mark.parametrize(("key", "default", "rules"), [("any", "any", []), ("any", "some", ["SHR-08"])])
def test_what_the_gpu_operator_is_given_is_judged_as_it_renders(
    key: str, default: str, rules: list[str], tools: Tools
) -> None:
    plugin = {"create": True, "name": "shares", "default": default, "data": {key: SHARING}}
    values = VALUES | {"devicePlugin": {"config": plugin}}
    spec = RenderSpec(namespace="gpu-operator", values=values, source="gpu-operator")
    rendered = render(Path(CORPUS / "gpu-operator"), spec, RenderTools(tools.path("helm"), tools.kubectl)).objects
    found = problems(world([one.tree for one in rendered]), CHECKERS)
    assert [one.rule for one in found] == rules
