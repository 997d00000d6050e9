"""Laws of documents inside strings: verdict and report agree, spelling means nothing, and no text makes them raise."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.canonical.engine import Context, canonicalize
from reconciler.canonical.form import CanonicalObject
from reconciler.compare.comparison import Comparison, compare
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.policy.model import Policy, Rules
from reconciler.render.embedded_loader import load_embedded
from reconciler.schema.catalog import Catalog
from reconciler.snapshot.model import Entry, MemorySnapshot
from reconciler.store.schema_data import load_builtin
from webhook.decision.decide import decide
from webhook.decision.types import Decision, Identity, Request, Trees

pytestmark = pytest.mark.property
RULES = Rules(())
CONTEXT = Context(Catalog((load_builtin(),), RULES, ()), RULES, b"key", parse=load_embedded)
KEY = "config.yaml"

_filters = st.sampled_from(["0x20B210DE", "0x20b210de", "0x233510DE"])
_entries = st.fixed_dictionaries(
    {
        "devices": st.one_of(st.just("all"), st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True)),
        "mig-enabled": st.booleans(),
    },
    optional={
        "device-filter": st.one_of(_filters, st.lists(_filters, min_size=1, max_size=2)),
        "mig-devices": st.dictionaries(st.sampled_from(["1g.10gb", "3g.40gb"]), st.integers(0, 2), max_size=2),
        "note": st.sampled_from([None, "x", {}, []]),
    },
)
_layouts = st.fixed_dictionaries(
    {"mig-configs": st.dictionaries(st.sampled_from("ab"), st.lists(_entries, max_size=2), max_size=2)},
    optional={"version": st.sampled_from(["v1", "v2"])},
)
_resources = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["gpu", "nvidia.com/gpu", "nvidia.com/mig-1g.10gb"]), "replicas": st.integers(2, 3)},
        optional={"devices": st.sampled_from(["all", [0]])},
    ),
    min_size=1,
    max_size=2,
)
_ways = st.fixed_dictionaries(
    {"resources": _resources},
    optional={"renameByDefault": st.booleans(), "failRequestsGreaterThanOne": st.booleans(), "extra": st.just({})},
)
_sharing = st.fixed_dictionaries(
    {"sharing": st.dictionaries(st.sampled_from(["timeSlicing", "mps"]), _ways, min_size=1, max_size=2)},
    optional={"version": st.just("v1"), "flags": st.sampled_from([{}, {"migStrategy": "none"}])},
)
documents = st.one_of(st.tuples(_layouts, _layouts, _layouts), st.tuples(_sharing, _sharing, _sharing))


def spelled(tree: Any, how: int) -> str:
    """One of several texts that mean `tree`."""
    if how == 0:
        return json.dumps(tree)
    text = yaml.safe_dump(tree, default_flow_style=how == 1, sort_keys=how == 2)
    return f"# written by hand\n{text}\n" if how == 3 else text


def config_map(text: str | None) -> dict[str, Any]:
    metadata = {"name": "gpus", "namespace": "shop"}
    tree: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    return tree if text is None else {**tree, "data": {KEY: text}}


def form(text: str) -> CanonicalObject:
    found = canonicalize(RenderedObject(config_map(text), Provenance("shop", "rev", "gpus.yaml", 1)), CONTEXT)
    assert found.documents
    return found


def reported(want: CanonicalObject, now: str | None) -> Comparison:
    return compare(want, config_map(now), parse=load_embedded)


def decided(want: CanonicalObject, was: str | None, now: str, *, create: bool = False) -> Decision:
    held = MemorySnapshot((Entry(want, Policy("default")),), RULES)
    objects = Trees(config_map(now), None if create else config_map(was))
    place = ("", "v1", "configmaps", "ConfigMap", "CREATE" if create else "UPDATE")
    request = Request("1", *place, Identity("alice"), "shop", "gpus", objects=objects)  # type: ignore[arg-type]
    return decide(request, held, 0.0, parse=load_embedded)


styles = st.integers(0, 3)


def _of_set(place: str) -> str:
    """An item instead of another is one change of the report, and two violations: known by the set around them."""
    return re.sub(r"(/(?:device-filter|devices))/\d+$", r"\1", place)


@given(documents, styles, styles)
def test_from_want_the_verdict_is_that_of_the_report_place_by_place(trees: Any, one: int, other: int) -> None:
    want, now = form(spelled(trees[0], one)), spelled(trees[1], other)
    decision, changes = decided(want, spelled(trees[0], one), now), reported(want, now).changes
    assert decision.allowed is not bool(changes)
    causes = {(cause.pointer, _of_set(cause.embedded)) for cause in decision.causes}
    assert causes == {(change.path, _of_set(change.embedded)) for change in changes}


@given(documents, styles, styles)
def test_a_creation_is_judged_like_the_report(trees: Any, one: int, other: int) -> None:
    want, now = form(spelled(trees[0], one)), spelled(trees[1], other)
    assert decided(want, None, now, create=True).allowed is not bool(reported(want, now).changes)


@given(documents, styles, styles)
def test_another_spelling_is_no_drift_and_no_violation(trees: Any, one: int, other: int) -> None:
    want, now = form(spelled(trees[0], one)), spelled(trees[0], other)
    assert reported(want, now).changes == ()
    assert decided(want, spelled(trees[0], one), now).allowed


@given(documents, styles, styles)
def test_the_way_to_want_is_open_from_everywhere(trees: Any, one: int, other: int) -> None:
    assert decided(form(spelled(trees[0], one)), spelled(trees[1], other), spelled(trees[0], other)).allowed


@given(documents, styles)
def test_an_admitted_change_leaves_no_new_drift(trees: Any, how: int) -> None:
    want, was, now = (spelled(tree, how) for tree in trees)
    held = form(want)
    if not decided(held, was, now).allowed:
        return
    before = {change.embedded for change in reported(held, was).changes}
    for change in reported(held, now).changes:
        assert any(change.embedded.startswith(place) or place.startswith(change.embedded) for place in before)


_pieces = st.sampled_from(
    [
        "mig-configs",
        ":",
        " ",
        "\n",
        "- ",
        "a",
        "[",
        "]",
        "{",
        "}",
        "&x ",
        "*x",
        "<<: ",
        "'",
        '"',
        "#",
        "!!int ",
        "0x1",
        "\t",
        "---\n",
        "%YAML",
        "\x00",
        "\ud800",
        "?",
        "|",
        ">",
        "1",
        "null",
        "devices",
        ",",
        "\ufeff",
        "\x85",
        "\u2028",
    ]
)
_texts = st.one_of(st.text(max_size=80), st.lists(_pieces, max_size=30).map("".join))


@given(_layouts, _texts, _texts)
def test_no_text_makes_a_verdict_fail_and_both_agree_on_it(tree: Any, was: str, now: str) -> None:
    want = form(spelled(tree, 2))
    found = reported(want, now)
    assert decided(want, None, now, create=True).allowed is not bool(found.changes)
    decided(want, was, now)
    for change in found.changes:
        assert change.embedded == "" or change.embedded.startswith("/")


@given(_texts)
def test_a_text_is_read_or_refused_with_one_line(text: str) -> None:
    said = "read"
    try:
        load_embedded(text)
    except ValueError as error:
        said = str(error)
    assert said.isprintable(), "a line end is not printable either"
