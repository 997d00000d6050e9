"""Laws of the snapshot file: what is written is read back, and equal content gives the same file."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.canonical.form import Mask, Range
from reconciler.policy.model import Delegation, Match, Policy, Rules, Subject, Writer
from reconciler.policy.select import policy_for
from reconciler.schema.pack import dump, load
from reconciler.schema.semantics import NOTHING_SAID, semantics_of
from reconciler.snapshot import rows
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.store.snapshot_file import publish
from tests.property import typed
from tests.property.strategies import TYPES, form, specs
from tests.support.decisions import KEY, builtin_rules
from webhook.decision.decide import decide
from webhook.decision.types import Decision, Identity, Request, Trees
from webhook.server.feed import Feed

pytestmark = pytest.mark.property
subjects = st.builds(Subject, service_account=st.just("a/b"))
policies = st.builds(
    Policy,
    name=st.sampled_from(["p", "q"]),
    action=st.sampled_from(["Deny", "Warn", "Audit"]),
    exclusive=st.booleans(),
    match=st.tuples(st.builds(Match, labels=st.just((("a", "b"),)))),
    writers=st.tuples(st.builds(Writer, subjects=st.tuples(subjects))),
    delegate=st.tuples(st.builds(Delegation, paths=st.just(("/a/*",)), kinds=st.just(("*",)), to=st.tuples(subjects))),
)
masks = st.builds(
    Mask,
    *(st.just(("spec", "*")), st.just("r"), st.just("why"), st.tuples(subjects), st.booleans()),
    extra=st.booleans(),
    value=st.sampled_from([(), (("", ("{ca}",)), ("/name", ("a-*", "b")))]),
    manager=st.sampled_from(["", "vpa-*"]),
)
dropped = st.sampled_from([{}, {("spec", 'k:{"name":"p"}', "typo"): {"any": None}, ("typo",): 1}])
ranges = st.builds(
    Range, st.just(("spec", "n")), st.integers(0, 3), st.integers(3, 9), st.just("hpa-range"), st.just(())
)


@given(specs, policies, masks, ranges, dropped, st.booleans(), st.booleans())
def test_an_entry_survives_its_row(
    spec: Any, policy: Policy, mask: Mask, one: Range, fields: Any, adopted: bool, off: bool
) -> None:
    made = form({**spec, "absent": None}, offline=off)
    entry = Entry(replace(made, masks=(mask,), ranges=(one,), notes=("n",), dropped=fields), policy, adopted)
    row = rows.to_row(entry, 1, 2)
    read = rows.from_row(row, rows.load_policy(rows.encode(policy)), load(dump(TYPES)), NOTHING_SAID)
    assert read == entry
    assert read.object.dropped == fields  # no part of equality


@settings(max_examples=10)
@given(specs, policies)
def test_a_published_snapshot_answers_like_the_one_in_memory(spec: Any, policy: Policy) -> None:
    entry = Entry(form(spec), policy)
    held = MemorySnapshot((entry,), Rules((policy,)), secret_key=b"k")
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        (state / "secret-values.key").write_bytes(b"k")
        digest = publish(held, state / "snapshots")
        assert publish(held, state / "snapshots") == digest
        feed = Feed(state / "snapshots" / "current.json")
        assert feed.poll()
        read = feed.current()
        assert read is not None
        ref = entry.object.ref
        assert read.digest == digest
        assert read.rules == held.rules
        for view in (held, read):
            assert view.find(ref.group, "things", ref.namespace, ref.name) == entry
            assert view.find(ref.group, "things", ref.namespace, "other") is None
            assert view.by_ref(ref) == entry
        questions = [
            ("inside_namespace", (ref.namespace,)),
            ("inside_namespace", ("",)),
            ("of_resource", (ref.group, "things")),
            ("of_resource", (ref.group, "")),
            ("of_resource", ("", "things")),
            ("exclusive_policies", (ref.group, ref.kind)),
            ("declares_version", (ref.group, "v1", ref.kind)),
            ("declares_version", (ref.group, "v2", ref.kind)),
            ("refs_of", (ref.group, ref.kind)),
        ]
        for question, arguments in questions:
            assert getattr(read, question)(*arguments) == getattr(held, question)(*arguments)


@settings(max_examples=settings().max_examples // 6)
@given(typed.objects(), st.sampled_from(["offline", "server"]), st.booleans(), st.data())
def test_an_entry_that_is_read_back_decides_like_the_one_in_memory(
    tree: Any, confidence: Any, known: bool, data: st.DataObject
) -> None:
    """Types travel without what is known of servers, and meanings are read from the rules anew."""
    declared = tree if known else {**tree, "typo": 1}
    one = replace(typed.form(declared), confidence=confidence)
    policy = policy_for(builtin_rules().policies, one.ref, "shop", {})
    assert policy is not None
    held = MemorySnapshot((Entry(one, policy),), builtin_rules(), secret_key=KEY)
    was, now = (
        {**typed.stored(typed.another_state(tree, data)), "typo": data.draw(st.sampled_from([1, 2]))} for _ in "ab"
    )
    request = Request(
        *("u", one.kind.group, one.kind.version, one.kind.resource, one.kind.kind),
        *("UPDATE", Identity("alice"), one.ref.namespace, one.ref.name),
        objects=Trees(now, was),
    )
    row, types = rows.to_row(Entry(one, policy), 1, 2), load(dump(one.types))
    semantics = semantics_of(builtin_rules(), one.kind.group, one.kind.kind, custom=types.custom)
    read = MemorySnapshot((rows.from_row(row, policy, types, semantics),), builtin_rules(), secret_key=KEY)
    assert _said(decide(request, read, 0.0)) == _said(decide(request, held, 0.0))


def _said(decision: Decision) -> Any:
    """All but the text: fields of a map stand in another order in a file."""
    return (
        decision.allowed,
        decision.code,
        sorted((cause.pointer, cause.verdict, cause.why) for cause in decision.causes),
    )
