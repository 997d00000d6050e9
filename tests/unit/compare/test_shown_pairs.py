"""What a denial shows of two values: of long texts the lines that differ, and never a secret."""

from __future__ import annotations

import pytest

from reconciler.canonical.volatile import HASHED
from reconciler.compare.mask import pair
from reconciler.model.tree import ABSENT

_TEXT = "version: v1\nsharing:\n  replicas: 4\nend: true\n"


def test_of_texts_of_several_lines_only_the_lines_that_differ_are_shown() -> None:
    want, now = pair(_TEXT, _TEXT.replace("4", "16"))
    assert (want, now) == ('"  replicas: 4" (line 3)', '"  replicas: 16" (line 3)')


def test_a_difference_far_into_a_long_text_is_seen() -> None:
    long = "\n".join(f"line {number}" for number in range(500))
    assert pair(long, long.replace("line 499", "line x"))[1] == '"line x" (line 500)'


@pytest.mark.parametrize(
    ("want", "now", "shown"),
    [
        ("a\nb\nc", "a\nc", ('"b" (line 2)', "nothing (line 2)")),
        ("a\nc", "a\nb\nc", ("nothing (line 2)", '"b" (line 2)')),
        ("a\n", "a", ('"" (line 2)', "nothing (line 2)")),
        ("a\nb", "x\ny", ('"a\\nb"', '"x\\ny"')),
        ("a\nb", ABSENT, ('"a\\nb"', "nothing")),
        (3, 4, ("3", "4")),
    ],
)
def test_pairs_are_shown_as_they_differ(want: object, now: object, shown: tuple[str, str]) -> None:
    assert pair(want, now) == shown  # type: ignore[arg-type]


def test_secrets_stay_hidden_whatever_they_hold() -> None:
    assert pair(f"{HASHED}1", f"{HASHED}2") == ('"***"', '"***"')
    path = ("spec", "env", 0, "value")
    documents = [{"spec": {"env": [{"name": "API_TOKEN", "value": text}]}} for text in ("a\nb", "a\nc")]
    assert pair("a\nb", "a\nc", path, (documents[0], documents[1])) == ('"***"', '"***"')
