"""What a server makes of small objects is explained by Git and by known defaults; what a mutator adds is not.

So a mutator that may change an object, and does not, taints nothing at first sight.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.canonical.engine import canonicalize
from reconciler.compare.unexplained import unexplained
from reconciler.model.objects import Provenance, RenderedObject
from tests.unit.loop.test_assemble import context

CASES = Path(__file__).parents[2] / "cases" / "first-sight" / "pairs.yaml"
PAIRS = {one["declared"]["kind"]: one for one in yaml.safe_load_all(CASES.read_text())}
ADDED = {
    "Deployment": ("/spec/template/spec/containers/1", {"name": "sidecar", "image": "sidecar:1"}),
    "DaemonSet": ("/spec/template/spec/nodeSelector", {"pool": "theirs"}),
    "CronJob": ("/spec/suspend", True),
    "Service": ("/spec/externalIPs", ["192.0.2.1"]),
    "NetworkPolicy": ("/spec/ingress", [{}]),
    "Secret": ("/data/extra", "eA=="),
    "StorageClass": ("/reclaimPolicy", "Retain"),
}


def strange(kind: str, answer: Any) -> tuple[str, ...]:
    found = context()
    form = canonicalize(RenderedObject(PAIRS[kind]["declared"], Provenance("shop")), found)
    return unexplained(form, answer, found.secret_key)


def with_added(answer: Any, pointer: str, value: Any) -> Any:
    changed = node = copy.deepcopy(answer)
    *above, last = pointer.removeprefix("/").split("/")
    for part in above:
        node = node[part]
    if isinstance(node, list):
        node.append(value)
    else:
        node[last] = value
    return changed


@pytest.mark.parametrize("kind", PAIRS)
def test_nothing_of_an_untouched_answer_is_unexplained(kind: str) -> None:
    assert strange(kind, PAIRS[kind]["answer"]) == ()


@pytest.mark.parametrize("kind", ADDED)
def test_what_a_mutator_makes_of_it_is_unexplained_at_its_place(kind: str) -> None:
    pointer, value = ADDED[kind]
    assert strange(kind, with_added(PAIRS[kind]["answer"], pointer, value)) == (pointer,)
