"""Owns equality of values at one place: what counts as the same, by the type of the place. Must not report paths."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from typing import Final, TypeVar

import msgspec

from reconciler.canonical.volatile import decoded
from reconciler.embedded.cel import tokens
from reconciler.limits import COMPARED_PAIRS
from reconciler.model.path import Path
from reconciler.model.quantity import nanoseconds, quantity
from reconciler.model.tree import ABSENT, CONTAINERS, Tree, strict_equal
from reconciler.schema.semantics import NOTHING_SAID, Semantics
from reconciler.schema.types import Scalar, TypeNode

_DIGITS: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_Key = TypeVar("_Key")


def same(a: Tree, b: Tree) -> bool:
    """Untouched: strict equality, with a fast "no" (Python's == is looser) and a fast "yes" (the same JSON)."""
    if a is b:
        return True
    return bool(a == b) and _same_json(a, b)


def _same_json(a: Tree, b: Tree) -> bool:
    """The rest of `same`, for what Python's == calls equal."""
    if isinstance(a, str):
        return True
    if isinstance(a, CONTAINERS):
        try:
            if _ENCODER.encode(a) == _ENCODER.encode(b):
                return True
        except (UnicodeEncodeError, msgspec.MsgspecError, RecursionError):
            pass  # a lone surrogate, say: proves nothing
    return strict_equal(a, b)


def touched(keys: Collection[_Key], was: Mapping[_Key, Tree], now: Mapping[_Key, Tree]) -> list[_Key]:
    """Those of `keys` whose values are not the `same` in both, in order."""
    differ, olds, news = list[_Key](), list[Tree](), list[Tree]()
    for key in keys:
        old, new = was.get(key, ABSENT), now.get(key, ABSENT)
        if old is new:
            continue
        if old != new:
            differ.append(key)
        elif type(old) is not str:
            olds.append(old)
            news.append(new)
    # What Python's looser == calls equal is asked for once more, all in one; hardly ever one by one.
    if not olds or _same_json(olds, news):
        return differ
    return [key for key in keys if not same(was.get(key, ABSENT), now.get(key, ABSENT))]


class Blank(enum.IntEnum):
    """How much of emptiness counts as absence at a place: null; also {} and []; also "", 0 and false."""

    NULL = 0
    EMPTY = 1
    ZERO = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """How far want is known at a place.

    `offline`: no server has confirmed want. `sure`: what a server makes of this place is known all the same. `custom`:
    of a CRD, whose values are stored as they are written. `learns`: types may make it sure below here. `semantics`:
    what policies say.
    `kind`: of the whole object (`apps/Deployment`). `compares`: a state is compared for people, no write is judged.
    """

    offline: bool
    custom: bool = False
    sure: bool = False
    learns: bool = False
    semantics: Semantics = NOTHING_SAID
    kind: str = ""
    compares: bool = False
    # True where defaults and stored zero values of want are missing. No property: it is asked at each step of a walk.
    lenient: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lenient", self.offline and not self.sure)

    def blank(self, path: Path) -> Blank:
        """What counts as absent at `path`."""
        if self.lenient or self.semantics.zero_equals_absent(path):
            return Blank.ZERO
        return Blank.NULL if self.semantics.empty_matters(path) else Blank.EMPTY

    def absent(self, value: Tree, path: Path) -> bool:
        """True for what counts as absent at `path`; only of empty values policies are asked."""
        if value is None or value is ABSENT:
            return True
        return not value and blank(value, self.blank(path))

    def empties(self, value: Tree, path: Path) -> bool:
        """True for what counts as absent at `path`, also a map that holds nothing else; items of lists have places."""
        if self.absent(value, path):
            return True
        if not isinstance(value, dict) or self.semantics.empty_matters(path):
            return False
        return all(self.empties(below, (*path, key)) for key, below in value.items())

    def zero(self, value: Tree, path: Path) -> bool:
        """True for values that policies call nothing at their places, also for a map of only such values."""
        if isinstance(value, dict):
            return bool(value) and all(self.zero(below, (*path, key)) for key, below in value.items())
        return blank(value, Blank.ZERO) and self.semantics.zero_equals_absent(path)

    def scalar(self, node: TypeNode, path: Path) -> Scalar:
        """What a text or number is compared as: by its type, else by what policies say."""
        return node.scalar or self.semantics.scalar(path)

    def at(self, node: TypeNode) -> Reading:
        """The reading at a place of this type."""
        known = node.known
        if known is None or not self.learns or known.open is not self.sure:
            return self
        return replace(self, sure=not known.open)

    def strictly(self) -> Reading:
        """The reading of a place that a server is known to have kept as it is wanted."""
        return replace(self, offline=False)


def blank(value: Tree, upto: Blank) -> bool:
    """True where the API reads `value` as absent."""
    if value is ABSENT or value is None:
        return True
    if upto is Blank.NULL:
        return False
    if isinstance(value, CONTAINERS):
        return not value
    return upto is Blank.ZERO and (value is False or value in ("", 0))


def _bytes(value: Tree) -> bytes | None:
    return decoded(value) if isinstance(value, str) else None


def _whole(value: Tree) -> int | str | None:
    """`80` and "80" are one port; "80%" is another thing than 80."""
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else value
    return value if isinstance(value, int) and not isinstance(value, bool) else None


_BY_MEANING: Final[dict[str, Callable[[Tree], object | None]]] = {
    "quantity": quantity,
    "duration": nanoseconds,
    "bytes": _bytes,
    "int-or-string": _whole,
    "cel": tokens,
}


def equal_scalar(
    want: Tree, now: Tree, node: TypeNode, reading: Reading, path: Path, upto: Blank | None = None
) -> bool:
    """Equality of two values that are not both maps or both lists; `upto`: less is absent than the reading says."""
    if not want or not now or want is ABSENT or now is ABSENT:
        if want is None:
            upto = Blank.ZERO  # declared as empty or zero, and so it is, whether a server stores it or not
        if upto is None and reading.absent(want, path) and reading.absent(now, path):
            return True
        if upto is not None and blank(want, upto) and blank(now, upto):
            return True
        if want is ABSENT or now is ABSENT:
            return False
    if strict_equal(want, now):
        return True
    meaning = _BY_MEANING.get(reading.scalar(node, path))
    if meaning is None:
        return False
    left, right = meaning(want), meaning(now)
    if left is None or right is None or left == right:
        return left is not None and left == right
    # The API server rounds its own quantities up to thousandths; what a CRD declares it stores as it is written.
    return isinstance(left, Decimal) and isinstance(right, Decimal) and not reading.custom and _milli(left) == right


def _milli(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.001"), ROUND_CEILING)


def fits(want: Tree, now: Tree, node: TypeNode, reading: Reading, path: Path) -> bool:
    """Equality as far as `want` goes where defaults are missing in it; equality elsewhere."""
    reading = reading.at(node)
    if not reading.lenient:
        return equal(want, now, node, reading, path)
    if isinstance(want, dict) and isinstance(now, dict):
        return all(
            fits(value, now.get(key, ABSENT), node.at(key), reading, (*path, key)) for key, value in want.items()
        )
    if isinstance(want, list) and isinstance(now, list):
        pairs = enumerate(zip(want, now, strict=False))
        return len(want) == len(now) and all(fits(a, b, node.item, reading, (*path, at)) for at, (a, b) in pairs)
    return equal_scalar(want, now, node, reading, path, Blank.NULL if isinstance(want, CONTAINERS) else None)


def equal(want: Tree, now: Tree, node: TypeNode, reading: Reading, path: Path) -> bool:
    """Equality of whole trees, lists in order, each value by the type of its place.

    While nothing is sure an empty map is a value: in the peers of a NetworkPolicy `{}` opens to everyone.
    """
    if want is now or (isinstance(want, CONTAINERS) and same(want, now)):
        return True
    reading = reading.at(node)
    if isinstance(want, dict) and isinstance(now, dict):
        return all(
            equal(want.get(key, ABSENT), now.get(key, ABSENT), node.at(key), reading, (*path, key))
            for key in want.keys() | now.keys()
        )
    if isinstance(want, list) and isinstance(now, list):
        if len(want) != len(now):
            return False
        if node.list_type in ("set", "unordered"):
            return _same_items(want, now, node.item, reading, path)
        pairs = enumerate(zip(want, now, strict=True))
        return all(equal(a, b, node.item, reading, (*path, at)) for at, (a, b) in pairs)
    maps = isinstance(want, dict) or isinstance(now, dict)
    return equal_scalar(want, now, node, reading, path, Blank.NULL if maps and reading.lenient else None)


def apart(want: list[Tree], now: list[Tree]) -> tuple[list[tuple[int, Tree]], list[tuple[int, Tree]]]:
    """The items of each side that have no identical twin on the other, with their index; each twin counts once."""
    there: dict[str | bytes, list[int]] = {}
    for index, value in enumerate(now):
        there.setdefault(_text_of(value), []).append(index)
    left, taken = [], set[int]()
    for index, value in enumerate(want):
        twins = there.get(_text_of(value))
        if twins:
            taken.add(twins.pop(0))
        else:
            left.append((index, value))
    return left, [(index, value) for index, value in enumerate(now) if index not in taken]


def _text_of(value: Tree) -> str | bytes:
    if isinstance(value, str):
        return value
    try:
        return _ENCODER.encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError, RecursionError):
        return repr(value).encode("ascii", "backslashreplace")  # a lone surrogate, say


def _same_items(want: list[Tree], now: list[Tree], node: TypeNode, reading: Reading, path: Path) -> bool:
    """Equality of lists without order, of the same length."""
    wanted, others = apart(want, now)
    if len(wanted) * len(others) > COMPARED_PAIRS:
        return False
    rest = [value for _, value in others]
    for _, value in wanted:
        found = next((at for at, other in enumerate(rest) if equal(value, other, node, reading, (*path, at))), None)
        if found is None:
            return False
        del rest[found]
    return True
