"""An object that is nested without end hides nothing but what is deep in itself."""

from __future__ import annotations

import json

import pytest

from reconciler.cluster.decoding import decoded
from reconciler.limits import API_DEPTH
from reconciler.model.tree import deeper_than

DEEP = b"[" * 1_500 + b"]" * 1_500


def test_what_a_decoder_takes_is_as_it_was_sent() -> None:
    held = {"items": [{"a": "x"}, 1, None, '\\"}]']}
    assert decoded(json.dumps(held).encode()) == held


@pytest.mark.parametrize("text", ["]}", "[[{{", '"', '\\"]', "\\"])
def test_what_is_too_deep_is_null_and_the_rest_is_there(text: str) -> None:
    before, after = (json.dumps({text: [text]}).encode() for _ in range(2))
    found = decoded(b'{"items":[%b,{"deep":%b,"last":"x"},%b]}' % (before, DEEP, after))
    first, middle, last = found["items"]
    assert first == last == {text: [text]}
    assert (middle["last"], deeper_than(middle["deep"], API_DEPTH)) == ("x", False)
    assert deeper_than(middle["deep"], API_DEPTH - 10)


@pytest.mark.parametrize("data", [b"[" * 1_500, DEEP[:-1], DEEP + b"}", b"no json"])
def test_what_is_no_json_is_none_however_deep(data: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        decoded(data)


@pytest.mark.parametrize(
    "text", ["1e400", "-0.0", str(2**70), '"\\ud800"', '{"a":1,"a":2}', "NaN", '"é\\u0000"', "1.0"]
)
def test_what_only_the_slower_decoder_takes_is_taken_and_the_rest_is_as_it_says(text: str) -> None:
    assert repr(decoded(text.encode())) == repr(json.loads(text))
