"""Owns names of MIG profiles (`1c.3g.20gb+me`): their grammar, the GB in them. Must not know which profiles exist."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

NAME_CHARS: Final = 64
MEDIA: Final = ("me", "me.all")
_ATTRIBUTE: Final = r"[A-Za-z][A-Za-z0-9.]*"
_NUMBER: Final = r"[1-9][0-9]{0,3}"
_NAME: Final = re.compile(
    rf"(?:({_NUMBER})c\.)?({_NUMBER})g\.({_NUMBER})gb(?:([+-])({_ATTRIBUTE}(?:,{_ATTRIBUTE})*))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ProfileName:
    """`compute` slices of a GPU instance of `slices`; `sign` is "+" or "-" where there are attributes, else ""."""

    compute: int
    slices: int
    gigabytes: int
    sign: str = ""
    attributes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The spelling that drivers use, attributes in order."""
        part = "" if self.whole else f"{self.compute}c."
        return f"{part}{self.slices}g.{self.gigabytes}gb{self.sign}{','.join(self.attributes)}"

    @property
    def whole(self) -> bool:
        """False for a compute instance, which has a part of a GPU instance's compute slices."""
        return self.compute == self.slices

    @property
    def instance(self) -> ProfileName:
        """The GPU instance that this is, or is a part of."""
        return self if self.whole else replace(self, compute=self.slices)

    @property
    def media(self) -> bool:
        """True where the instance takes a media extension."""
        return self.sign == "+" and any(one in MEDIA for one in self.attributes)


@lru_cache(maxsize=512)
def parse_name(text: str) -> ProfileName | None:
    """None for what is no name: wrong form, an attribute twice, more compute slices than the instance has."""
    match = _NAME.fullmatch(text) if len(text) <= NAME_CHARS else None
    if match is None:
        return None
    compute, slices, gigabytes, sign, attributes = match.groups()
    found = tuple(sorted(attributes.split(","))) if attributes else ()
    name = ProfileName(int(compute or slices), int(slices), int(gigabytes), sign or "", found)
    return name if name.compute <= name.slices and len(set(found)) == len(found) else None


def resource_of(name: str) -> str:
    """The resource by which the device plugin offers slices of a profile where the strategy is `mixed`."""
    return "nvidia.com/mig-" + name.replace("+", ".")


def gigabytes_of(part: int, of: int, total_gib: int) -> int:
    """The GB in a name: the instance's memory in eighths of the GPU, rounded up, of all GiB, rounded half up.

    `part` of `of` memory slices.
    """
    eighths = -(-8 * part // of)
    return (eighths * total_gib + 4) // 8
