"""What rows of one kind have in common is decoded once, and what is long is not kept."""

from __future__ import annotations

from reconciler.canonical.form import Mask
from reconciler.model.tree import ABSENT
from reconciler.schema.semantics import NOTHING_SAID
from reconciler.schema.types import PLAIN
from reconciler.snapshot import rows
from tests.support import decisions


def _form(mask: Mask, filled: dict[str, object]) -> rows.CanonicalObject:
    known = decisions.snapshot(["web"]).entries[0].object
    header = rows.Header(known.kind, known.provenance, "server", filled, (mask,))
    return rows.form_of(known.ref, ABSENT, rows.encode(header), b"{}", PLAIN, NOTHING_SAID)


def test_equal_parts_of_two_rows_are_one_value() -> None:
    mask, filled = Mask(("spec", "replicas"), "a-rule", "a reason"), {"f:spec": {"f:replicas": {}}}
    one, other = _form(mask, filled), _form(mask, filled)
    assert (one.masks, one.filled) == ((mask,), filled)
    assert one.masks is other.masks
    assert one.filled is other.filled
    assert one.kind is other.kind


def test_parts_that_differ_stay_apart() -> None:
    one = _form(Mask(("spec", "replicas"), "a-rule", "a reason"), {"f:spec": {}})
    other = _form(Mask(("spec", "replicas"), "a-rule", "another reason"), {"f:data": {}})
    assert one.masks[0].reason != other.masks[0].reason
    assert one.filled != other.filled


def test_a_long_part_is_decoded_for_each_row() -> None:
    filled: dict[str, object] = {f"f:{number}": {} for number in range(1000)}
    one, other = (_form(Mask(("spec",), "a-rule", "a reason"), filled) for _ in range(2))
    assert one.filled == other.filled == filled
    assert one.filled is not other.filled
