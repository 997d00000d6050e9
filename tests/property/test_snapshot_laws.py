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
from reconciler.schema.pack import dump, load
from reconciler.schema.semantics import NOTHING_SAID
from reconciler.snapshot import rows
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.store.snapshot_file import publish
from tests.property.strategies import TYPES, form, specs
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
masks = st.builds(Mask, st.just(("spec", "*")), st.just("r"), st.just("why"), st.tuples(subjects), st.booleans())
ranges = st.builds(
    Range, st.just(("spec", "n")), st.integers(0, 3), st.integers(3, 9), st.just("hpa-range"), st.just(())
)


@given(specs, policies, masks, ranges, st.booleans(), st.booleans())
def test_an_entry_survives_its_row(spec: Any, policy: Policy, mask: Mask, one: Range, adopted: bool, off: bool) -> None:
    entry = Entry(replace(form(spec, offline=off), masks=(mask,), ranges=(one,), notes=("n",)), policy, adopted)
    row = rows.to_row(entry, 1, 2)
    assert rows.from_row(row, rows.load_policy(rows.encode(policy)), load(dump(TYPES)), NOTHING_SAID) == entry


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
        ]
        for question, arguments in questions:
            assert getattr(read, question)(*arguments) == getattr(held, question)(*arguments)
