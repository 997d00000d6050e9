"""Owns the making of inputs: an AdmissionReview of the decision cases, changed in its values, its text or its bytes.

Must not judge. All choices come from the Random that is given, all values from the pool, so a number names an input.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

Place = tuple[str | int, ...]
_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)
# Spellings that JSON's readers disagree on; put in place of a value's text.
SPELLINGS: Final = (
    "NaN", "-Infinity", "1e999", "9" * 400, "9" * 5_000, "-0", "1.0", "1E2", "1e-400", "0x1", "01", "+1", "tru",
    r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', r'"\u003cb\u003e"', '"\x01"', '"\u202e"', '"\ufeff"', "''", "",
    "[" * 150 + "]" * 150, "[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300, "[" * 10_000, '{"a":' * 2_000,
    '{"a":1,"a":2}', '{"":{"":{}}}', "[[],{},null]",
)  # fmt: skip
# What a controller, a tool or a clever person writes.
WORDS: Final = (
    "", "evil:1", "1", "0", "-1", "true", "null", "3", "500m", "0.5", "1Gi", "1024Mi", "1e3", "*", "system:masters",
    "app", "web", "MODE", "$(MODE)", "~", "setscrew.dev/ignore", "metadata", "spec", "\x1b[31mred", "e\u0301", "\u00e9",
    "\u0130", "../..", "k:{}", "f:spec", "/spec/replicas", "'; rm -rf $HOME", "2026-01-01T00:00:00Z", "YWRtaW4=",
)  # fmt: skip
_HUGE: Final = 40_000


def hostile_values(number: int) -> list[Any]:
    """Some hundred JSON values of hypothesis, the same for the same number."""
    found: list[Any] = []

    @seed(number)
    @settings(
        max_examples=300, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(_JSON)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return [*found, *WORDS]


def mutated(tree: Any, chance: random.Random, pool: Sequence[Any], *, under: Place = ()) -> Any:
    """`tree` after one to three changes in place, at or below `under`."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        tree = chance.choice(_CHANGES)(tree, _place(tree, chance, under), chance, pool)
    return tree


def respelled(body: bytes, chance: random.Random) -> bytes:
    """`body` with a change that only its text can have: odd spellings, names that stand twice, cuts, noise."""
    return chance.choice(_SPELLED)(body, chance)


def at(tree: Any, place: Place) -> Any:
    """The value at `place`; raises LookupError where there is none."""
    for step in place:
        tree = tree[step]
    return tree


def _place(tree: Any, chance: random.Random, under: Place = ()) -> Place:
    """Some place at or below `under`; leaves more often than what holds them."""
    place = list(under)
    try:
        below = at(tree, under)
    except (LookupError, TypeError):
        place, below = [], tree
    while below and isinstance(below, (dict, list)) and chance.random() > 0.12:
        step = chance.choice(list(below) if isinstance(below, dict) else range(len(below)))
        place.append(step)
        below = below[step]
    return tuple(place)


def _some(pool: Sequence[Any], chance: random.Random) -> Any:
    value = chance.choice(pool)
    return copied(value) if isinstance(value, (dict, list)) else value


def _put(tree: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    at(tree, place[:-1])[place[-1]] = value
    return tree


def _replace(tree: Any, place: Place, chance: random.Random, pool: Sequence[Any]) -> Any:
    return _put(tree, place, _some(pool, chance))


def _remove(tree: Any, place: Place, _: random.Random, __: Sequence[Any]) -> Any:
    if place:
        del at(tree, place[:-1])[place[-1]]
    return tree


def _nudge(tree: Any, place: Place, chance: random.Random, pool: Sequence[Any]) -> Any:
    """A value of the same or a neighbouring type: what a person would change it to."""
    value = at(tree, place)
    if isinstance(value, bool):
        return _put(tree, place, chance.choice((not value, str(value).lower(), int(value))))
    if isinstance(value, int):
        return _put(tree, place, chance.choice((value + 1, -value, float(value), str(value), value * 10**12)))
    if isinstance(value, str):
        return _put(
            tree, place, chance.choice((value + "x", value.upper(), value[1:], f" {value}", f"{value}\u200b", [value]))
        )
    if isinstance(value, list) and value:
        return _put(tree, place, chance.choice((value[::-1], value[1:], [*value, value[0]], dict(enumerate(value)))))
    return _replace(tree, place, chance, pool)


def _add(tree: Any, place: Place, chance: random.Random, pool: Sequence[Any]) -> Any:
    """Something more: a member with a name that stands elsewhere in the review, or an item."""
    below = at(tree, place)
    if isinstance(below, list):
        below.insert(chance.randint(0, len(below)), _some(pool, chance))
    elif isinstance(below, dict):
        name = chance.choice((*_place(tree, chance)[-1:], *chance.sample(WORDS, 1)))
        below[str(name)] = _some(pool, chance)
    else:
        return _nudge(tree, place, chance, pool)
    return tree


def _borrow(tree: Any, place: Place, chance: random.Random, _: Sequence[Any]) -> Any:
    """A value from elsewhere in the review, in place of this one."""
    return _put(tree, place, copied(at(tree, _place(tree, chance))))


def _rename(tree: Any, place: Place, chance: random.Random, pool: Sequence[Any]) -> Any:
    if not place or not isinstance(place[-1], str):
        return _nudge(tree, place, chance, pool)
    around, name = at(tree, place[:-1]), place[-1]
    around[chance.choice((name.upper(), name.capitalize(), f"{name} ", name[:-1], f"{name}\u0301"))] = around.pop(name)
    return tree


def _deepen(tree: Any, place: Place, chance: random.Random, _: Sequence[Any]) -> Any:
    value = at(tree, place)
    for __ in range(chance.choice((1, 2, 20, 190, 250))):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return _put(tree, place, value)


def _swell(tree: Any, place: Place, chance: random.Random, pool: Sequence[Any]) -> Any:
    """Much of something, seldom: it takes as long as a thousand others."""
    if chance.random() > 0.01:
        return _nudge(tree, place, chance, pool)
    many = chance.choice((100, 1_000, _HUGE))
    huge: list[Callable[[], Any]] = [
        lambda: "x" * many * 10,
        lambda: "\u20ac<" * many,
        lambda: [_some(pool, chance) for _ in range(many // 40)],
        lambda: {f"k{n}": n for n in range(many // 20)},
        lambda: [{"name": "app"}] * (many // 40),
    ]
    return _put(tree, place, chance.choice(huge)())


_CHANGES: Final = (_replace, _replace, _remove, _nudge, _nudge, _nudge, _add, _add, _borrow, _rename, _deepen, _swell)


def _spelling(body: bytes, chance: random.Random) -> bytes:
    """An odd spelling in place of a number or text."""
    text = body.decode("utf-8", "surrogatepass")
    begin = text.find(":", chance.randrange(len(text))) + 1
    end = min((n for n in (text.find(sign, begin) for sign in ",}]") if n >= 0), default=len(text))
    return (text[:begin] + chance.choice(SPELLINGS) + text[end:]).encode("utf-8", "surrogatepass")


def _twice(body: bytes, chance: random.Random) -> bytes:
    """A member before or behind another, so that its name may stand twice."""
    begin = body.find(b"{", chance.randrange(len(body))) + 1
    names = (
        b"object",
        b"oldObject",
        b"spec",
        b"metadata",
        b"name",
        b"replicas",
        b"operation",
        b"uid",
        b"data",
        b"kind",
    )
    value = chance.choice((b"{}", b"null", b'"x"', b"5", b'{"replicas":9}', b'"DELETE"'))
    return body[:begin] + b'"' + chance.choice(names) + b'":' + value + b"," + body[begin:]


def _noise(body: bytes, chance: random.Random) -> bytes:
    out = bytearray(body)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(out) + 1)
        out[place : place + chance.choice((0, 1, 1, 4))] = chance.randbytes(chance.choice((0, 1, 1, 3)))
    return bytes(out)


def _cut(body: bytes, chance: random.Random) -> bytes:
    begin, end = sorted((chance.randrange(len(body) + 1), chance.randrange(len(body) + 1)))
    return chance.choice((body[:begin], body[:begin] + body[end:], body + body[begin:end], body[:end] + body[begin:]))


_SPELLED: Final = (_spelling, _spelling, _twice, _noise, _cut)


def dumped(tree: Any) -> bytes:
    """JSON without blanks."""
    try:
        return msgspec.json.encode(tree)
    except (ValueError, TypeError, OverflowError, RecursionError):  # what only the slower writer takes
        return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def copied(tree: Any) -> Any:
    """A copy of a JSON value, which shares nothing with it."""
    return json.loads(dumped(tree)) if isinstance(tree, (dict, list)) else tree
