"""Laws of what is told of users: no object makes it raise, lines stay short and plain, and no verdict depends on it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.gpu.users.hit import hit
from reconciler.gpu.users.model import Census, Users
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from reconciler.render.embedded_loader import load_embedded
from tests.support import decisions
from tests.support.decisions import builtin_rules
from webhook.decision.decide import decide
from webhook.decision.types import Decision, Identity, Operation, Request, Trees

pytestmark = pytest.mark.property
RULES = builtin_rules()
KINDS = sorted({kind for row in RULES.gpu_classes for kind in row.kinds})
AT = "2030-01-01T00:00:00Z"

_names = st.sampled_from(
    [
        *("metadata", "name", "namespace", "labels", "annotations", "spec", "status", "data", "config.yaml", "kind"),
        *("selectors", "cel", "expression", "extendedResourceName", "devices", "requests", "config", "opaque", "pool"),
        *("parameters", "nvidia.com/mig.config", "mig-configs", "sharing", "timeSlicing", "resources", "replicas"),
    ]
)
_texts = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["a\x1b[2J", "nvidia.com/gpu", "{", "version: v1\nmig-configs: {a: [{devices: all}]}", "x" * 400]),
)
_trees: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), _texts),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(_names, below, max_size=5)),
    max_leaves=25,
)
_states = st.one_of(st.just(ABSENT), _trees)


@given(kind=st.sampled_from(KINDS), was=_states, now=_states, running=st.integers(0, 3))
def test_no_object_makes_the_question_raise_and_its_lines_are_short_and_plain(
    kind: str, was: Tree, now: Tree, running: int
) -> None:
    group, _, name = kind.rpartition("/")
    found = hit(RULES, ObjectRef(group, name, "", "one\x1b"), was, now, load_embedded)
    if found is None:
        return
    censuses = (None, Census(AT), Census(AT, dict.fromkeys(found.names, Users(running=running))))
    for census in censuses:
        lines = found.lines(census)
        assert len(lines) <= 4
        assert all(len(line) <= 300 and line.isprintable() for line in lines)
        assert found.as_json(census)["lines"] == list(lines)


@given(now=_trees, operation=st.sampled_from(["CREATE", "UPDATE", "DELETE"]), running=st.integers(0, 3))
def test_who_uses_a_class_changes_no_verdict(now: Tree, operation: Operation, running: int) -> None:
    held = decisions.snapshot(["deviceclass"])
    (entry,) = held.entries
    kind, ref = entry.object.kind, entry.object.ref
    place = kind.group, kind.version, kind.resource, kind.kind
    old = None if operation == "CREATE" else entry.object.want
    request = Request("1", *place, operation, Identity("alice"), "", ref.name, objects=Trees(now, old))

    def decided(census: Census | None) -> Decision:
        return decide(request, held, 0.0, parse=load_embedded, census=lambda: census)

    found = hit(RULES, ref, ABSENT, entry.object.want, load_embedded)
    assert found is not None
    used = decided(Census(AT, dict.fromkeys(found.names, Users(running=running))))
    unknown = decided(None)
    assert (used.allowed, used.code, used.causes) == (unknown.allowed, unknown.code, unknown.causes)
