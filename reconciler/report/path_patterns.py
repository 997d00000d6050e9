"""Owns the matching of a path with many patterns at once: `*` and `?` in a name, `**` for any number of names. Pure.

All patterns lie behind one another in one number, a bit for each place in one of them. A path is walked once, byte by
byte, and each byte moves the bits of all patterns together: whatever patterns say, none of them is tried twice.
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

DEEP: Final = "**"
_SLASH, _STAR, _ANY = b"/*?"
# Of a sign of several bytes all but the first.
_MORE: Final = range(0x80, 0xC0)


@dataclass(frozen=True, slots=True)
class PathPatterns:
    """Groups of patterns. Each field but the last two is a set of places, as bits.

    `moves`: by byte, where it leads on; `stays`: where a name may go on as it likes; `rests`: where the sign that `?`
    stands for may; `deep`: where any number of names may stand; `ends`, and `places` in order: each pattern's last;
    `groups`: from which place to which.
    """

    moves: Sequence[int]
    stays: int
    rests: int
    deep: int
    begins: int
    ends: int
    places: Sequence[int]
    groups: Sequence[tuple[int, int]]

    def last(self, path: str) -> Iterator[int]:
        """Of each group the last pattern that fits, counted over all groups; of one where none fits nothing."""
        fits = f"{self._reached(path):b}"[::-1]
        for begin, end in self.groups:
            place = fits.rfind("1", begin, end)
            if place >= 0:
                yield bisect(self.places, place) - 1

    def _reached(self, path: str) -> int:
        """The last places of all patterns that fit, and no other places."""
        here, again = self.begins, self.begins & self.deep
        stays_too = self.stays | self.rests
        for byte in path.encode("utf-8", "surrogatepass") + b"/":
            if byte == _SLASH:
                here = (here & self.moves[_SLASH]) << 1
                again |= here & self.deep
                here |= again
            else:
                here = ((here & self.moves[byte]) << 1) | (here & (stays_too if byte in _MORE else self.stays))
        return here & self.ends


def joined(groups: Iterable[Iterable[Sequence[str]]]) -> PathPatterns:
    """`groups` hold patterns, each as its names from the root on."""
    leads: defaultdict[int, list[int]] = defaultdict(list)
    stays, rests, deep, begins, ends, ranges = [], [], [], [], list[int](), []
    place = 0
    for group in groups:
        first = place
        for pattern in group:
            begins.append(place)
            for name in pattern:
                if name == DEEP:
                    deep.append(place)
                    continue
                for byte in name.encode("utf-8", "surrogatepass") + b"/":
                    if byte == _STAR:
                        stays.append(place)
                        continue
                    leads[byte].append(place)
                    place += 1
                    if byte == _ANY:
                        rests.append(place)
            ends.append(place)
            place += 1
        ranges.append((first, place))
    anything = _bits(leads.pop(_ANY, ()))
    moves = [_bits(leads[byte]) | (0 if byte == _SLASH or byte in _MORE else anything) for byte in range(256)]
    free = _bits(stays), _bits(rests), _bits(deep)
    return PathPatterns(moves, *free, _bits(begins), _bits(ends), ends, ranges)


def _bits(places: Sequence[int]) -> int:
    """The places, which are in order, as one number."""
    held = bytearray(places[-1] // 8 + 1 if places else 0)
    for place in places:
        held[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(held, "little")
