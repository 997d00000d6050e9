"""Laws of published parts: what is split is joined to the same, and no damage is taken for a snapshot."""

from __future__ import annotations

import lzma
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import StoreError
from reconciler.policy.model import Policy, Rules
from reconciler.published.manifest import listed, whole
from reconciler.published.parts import joined, split
from reconciler.snapshot.model import Earlier, Entry, MemorySnapshot, SourceState
from reconciler.store.snapshot_file import write
from tests.property.strategies import form, specs
from tests.property.test_snapshot_laws import dropped, masks, policies, ranges
from tests.support.decisions import KEY, earlier, snapshot

pytestmark = pytest.mark.property


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """An entry of one of three sources, of one of twenty names."""
    made = form(draw(specs), offline=draw(st.booleans()))
    place = replace(made.provenance, source=draw(st.sampled_from(["shop", "bank", "ünï code"])))
    made = replace(
        made,
        ref=made.ref._replace(name=f"n{draw(st.integers(0, 19))}"),
        provenance=place,
        masks=(draw(masks),),
        ranges=(draw(ranges),),
        dropped=draw(dropped),
        filled=draw(st.sampled_from([{}, {"f:spec": {"f:a": {}}}])),
    )
    return Entry(made, draw(policies), draw(st.booleans()))


@st.composite
def snapshots(draw: st.DrawFn) -> MemorySnapshot:
    """Objects, and what was wanted of them before, in any order of sources."""
    now = draw(st.lists(entries(), max_size=5, unique_by=lambda one: one.ref))
    before = draw(st.lists(st.builds(Earlier, entries(), st.sampled_from(["a" * 40, "b" * 40])), max_size=5))
    states = {name: SourceState(name, "https://git.example", "", "r") for name in draw(st.sets(st.sampled_from("ab")))}
    return MemorySnapshot(tuple(now), Rules((Policy("p"),)), states, KEY, before=tuple(before))


@given(snapshots())
def test_what_is_split_is_joined_to_the_same(held: MemorySnapshot) -> None:
    read = joined(split(held), KEY)
    assert sorted(read.entries, key=lambda one: one.ref) == sorted(held.entries, key=lambda one: one.ref)
    assert (read.before, read.rules, dict(read.sources)) == (held.before, held.rules, dict(held.sources))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        assert write(held, Path(one)).stem == write(read, Path(other)).stem


@given(snapshots(), st.randoms())
def test_parts_do_not_hang_on_the_order_of_objects(held: MemorySnapshot, chance: Any) -> None:
    mixed = list(held.entries)
    chance.shuffle(mixed)
    kept: dict[str, bytes] = {}
    first = split(replace(held, entries=tuple(mixed)), kept)
    assert first == split(held) == split(held, kept)


@pytest.mark.parametrize("part", ["rules", "types", "source:shop"])
@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_no_changed_byte_goes_unseen(part: str, data: st.DataObject) -> None:
    parts = split(_REAL)
    table, _ = listed(parts)
    good = parts[part]
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    with pytest.raises(StoreError) as caught:
        whole(part, table[part], [bad])
    assert caught.value.code == "SS6103"


_REAL = replace(
    snapshot(["web", "secret", "crd", "config"]),
    before=(earlier("web", {"commit": "oldest", "patch": {"metadata": {"labels": {"at": "x"}}}}),),
)


def test_unknown_names_are_left_out_and_missing_ones_have_their_default() -> None:
    parts = split(_REAL)
    later = {
        name: lzma.compress(msgspec.json.encode(_more(name, msgspec.json.decode(lzma.decompress(data)))))
        for name, data in parts.items()
    }
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        assert write(joined(later, KEY), Path(one)).stem == write(joined(parts, KEY), Path(other)).stem


def _more(name: str, tree: Any) -> Any:
    """A tree with a name in each mapping that a later version may bring; content of objects is not ours to extend."""
    if name == "types":
        return tree
    tree["later"] = {"any": 1}
    for one in tree.get("entries", ()):
        one["later"] = 1
        one["provenance"]["later"] = "x"
    if name.startswith("source:"):
        tree["tables"]["later"] = []
        tree["state"]["later"] = True
    return tree


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[" * 5000, b'{"rules": 1}'])
@pytest.mark.parametrize("part", ["rules", "types", "source:shop"])
def test_what_is_no_part_is_named(part: str, content: bytes) -> None:
    parts = split(_REAL)
    with pytest.raises(StoreError) as caught:
        joined({**parts, part: lzma.compress(content)}, KEY)
    assert caught.value.code == "SS6105"


@pytest.mark.parametrize("part", ["rules", "types"])
def test_a_part_that_is_missing_is_named(part: str) -> None:
    with pytest.raises(StoreError):
        joined({name: data for name, data in split(_REAL).items() if name != part}, KEY)
