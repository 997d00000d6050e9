"""Owns what is made of other tools' definitions: sources, ignore rules, and by name what cannot be. No I/O.

Must not read a cluster or a repository: definitions come in as trees, one by one, and are never changed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from reconciler.policy.model import MaskRule
from reconciler.snapshot.model import Adopter
from reconciler.source.spec import GitSource

_NAME_CHARS: Final = 63
_DIGEST_CHARS: Final = 16
_STRANGE: Final = re.compile(r"[^a-z0-9-]+")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# What a value that nobody foresaw may raise on its way; each is the definition's own fault, and no other's.
ODD: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
# What could be the number of a part, or a digest.
_ENDING: Final = re.compile(rf".*-([0-9]+|[0-9a-f]{{{_DIGEST_CHARS}}})")
# Flux's own, by far the most used: the one namespace with a dash that needs no digest.
_FLUX: Final = ("flux", "system")


@dataclass(frozen=True, slots=True)
class Unsupported:
    """What a definition asks for and Setscrew cannot do: `field` as in `spec.source.plugin`, `reason` for people.

    `whole`: nothing is guarded of what the definition manages; else only the part that the reason names. `waits`: what
    it refers to is not there now, so what was followed of it before holds.
    """

    by: Adopter
    field: str
    reason: str
    whole: bool = True
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Adopted:
    """What one or more definitions come to. `ignores` free the paths that the tool itself does not compare."""

    sources: tuple[GitSource, ...] = ()
    ignores: tuple[MaskRule, ...] = ()
    unsupported: tuple[Unsupported, ...] = ()

    def __add__(self, other: Adopted) -> Adopted:
        return Adopted(self.sources + other.sources, self.ignores + other.ignores, self.unsupported + other.unsupported)


def unreadable(by: Adopter, error: Exception) -> Adopted:
    """What a definition comes to that nobody foresaw: it must not end the reading of all others."""
    return Adopted(unsupported=(Unsupported(by, "spec", f"it could not be read: {type(error).__name__}"),))


def source_name(by: Adopter, part: int = 0) -> str:
    """The name of the source that `by` defines: a DNS label, readable, and no other definition's.

    `part` counts the sources of a definition with several. A digest follows wherever another definition could come to
    the same words: of two sources of one name only one would be followed.
    """
    words = f"{by.kind}-{by.namespace}-{by.name}{f'-{part}' if part else ''}".lower()
    label = _STRANGE.sub("-", words).strip("-")
    if label == words and len(label) <= _NAME_CHARS and _is_plain(by, part):
        return label
    said = f"{by.kind}/{by.namespace}/{by.name}/{part}".encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(said).hexdigest()[:_DIGEST_CHARS]
    return f"{label[: _NAME_CHARS - _DIGEST_CHARS - 1].rstrip('-')}-{digest}"


def _is_plain(by: Adopter, part: int) -> bool:
    """Whether kind, namespace, name and part can be told apart in the words that they make together."""
    if not _LABEL.fullmatch(by.name) or (by.namespace and not _LABEL.fullmatch(by.namespace)):
        return False
    own, rest = _FLUX
    divided = "-" not in by.namespace or by.namespace == f"{own}-{rest}"
    return (
        divided
        and not (by.namespace == own and by.name.startswith(f"{rest}-"))
        and (part > 0 or not _ENDING.fullmatch(by.name))
    )
