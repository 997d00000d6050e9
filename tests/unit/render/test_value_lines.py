"""In which line of a file a value stands, also within a document inside a text."""

from __future__ import annotations

import pytest

from reconciler.render.value_lines import Token, Wanted, value_lines

TEXT = b"""\
# a comment
apiVersion: v1
kind: ConfigMap
metadata:
  name: layouts
data:
  plain: x
  config.yaml: |
    version: v1
    mig-configs:
      half:
      - devices: all
        mig-devices:
          "3g.20gb": 3
  folded: >
    version: v1
  more.json: |
    {"a":
      {"b": 1}}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  spec: {z: 1}
- apiVersion: v1
  spec:
    a:
    - b: 1
    - c: 2
      d: 3
"""
CONFIG = ("data", "config.yaml")


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        (Wanted(2, ()), 2),
        (Wanted(2, ("metadata", "name")), 5),
        (Wanted(2, ("data",)), 6),
        (Wanted(2, CONFIG), 8),
        (Wanted(2, CONFIG, ("version",)), 9),
        (Wanted(2, CONFIG, ("mig-configs", "half", 0, "mig-devices", "3g.20gb")), 14),
        (Wanted(2, CONFIG, ("mig-configs", "half", 0, "mig-enabled")), 12),
        (Wanted(2, ("data", "folded"), ("version",)), 15),
        (Wanted(2, ("data", "more.json"), ("a", "b")), 19),
        (Wanted(24, ("spec", "z")), 25),
        (Wanted(26, ("spec", "a", 1, "d")), 31),
        (Wanted(26, ("spec", "a", 1)), 30),
        (Wanted(26, ("spec", "missing", "x")), 27),
        (Wanted(3, ("kind",)), 0),
    ],
    ids=str,
)
def test_a_value_is_found_or_the_nearest_one_above_it(wanted: Wanted, line: int) -> None:
    assert value_lines(TEXT, [wanted]) == [line]


def test_several_values_are_found_at_once() -> None:
    wanted = [Wanted(2, CONFIG), Wanted(2, CONFIG, ("version",)), Wanted(26, ("spec",)), Wanted(99, ("spec",))]
    assert value_lines(TEXT, wanted) == [8, 9, 27, 0]


@pytest.mark.parametrize("text", [b"a: [", b"{" * 50_000, b"\xff\xfe", b"a: &x {b: 1}\nc: *x\n? [1]\n: 2\n", b""])
def test_whatever_a_file_holds_it_is_read_as_far_as_it_goes(text: bytes) -> None:
    path: tuple[Token, ...] = ("c", "b")
    assert value_lines(text, [Wanted(1, path)])[0] in {0, 1, 2}
