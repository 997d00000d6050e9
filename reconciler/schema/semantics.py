"""Owns what values mean where no schema says it: the semantic rules of the policies, for one kind. Must not compare.

It is asked of values that differ, so a pattern may cost something; answers are kept by place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from reconciler.model.path import Path
from reconciler.policy.model import Rules, SemanticRule
from reconciler.policy.pattern import fits
from reconciler.policy.select import any_kind, kind_matches
from reconciler.schema.types import Scalar

CUSTOM_KINDS: Final = "{custom}"
_SCALARS: Final[dict[str, Scalar]] = {"quantity": "quantity", "duration": "duration", "cel": "cel"}
# Places of one kind are few; whoever sends others by the thousand must not fill the memory.
_PLACES_KEPT: Final = 4096


@dataclass(slots=True, eq=False)
class Semantics:
    """The rules of one kind, and the patterns of labels and annotations that nobody adds to what Git declares."""

    rules: tuple[SemanticRule, ...] = ()
    protected: tuple[str, ...] = ()
    _found: dict[tuple[str, ...], tuple[SemanticRule, ...]] = field(default_factory=dict, repr=False)

    def scalar(self, path: Path) -> Scalar:
        """What a text or number at `path` is compared as; "" for itself."""
        return next((_SCALARS[rule.meaning] for rule in self._at(path) if rule.meaning in _SCALARS), "")

    def empty_matters(self, path: Path) -> bool:
        """True where {} or [] at `path` is not the same as nothing."""
        return any(rule.meaning == "meaningful-empty" for rule in self._at(path))

    def zero_is_absent(self, path: Path) -> SemanticRule | None:
        """The rule by which a controller may leave out a zero value at `path`."""
        return next((rule for rule in self._at(path) if rule.meaning == "zero-is-absent"), None)

    def zero_equals_absent(self, path: Path) -> bool:
        """True where false, 0 and "" at `path` are the same as nothing, whoever writes them."""
        return any(rule.meaning == "zero-equals-absent" for rule in self._at(path))

    def protects(self, key: str) -> bool:
        """True for labels and annotations that are drift where Git does not declare them."""
        return any(fnmatchcase(key, pattern) for pattern in self.protected)

    def _at(self, path: Path) -> tuple[SemanticRule, ...]:
        if not self.rules:
            return ()
        tokens = tuple([element if isinstance(element, str) else "*" for element in path])
        found = self._found.get(tokens)
        if found is None:
            found = tuple(rule for rule in self.rules if any(fits(pattern, tokens) for pattern in rule.paths))
            if len(self._found) < _PLACES_KEPT:
                self._found[tokens] = found
        return found


NOTHING_SAID: Final = Semantics()


def semantics_of(rules: Rules, group: str, kind: str, *, custom: bool) -> Semantics:
    """What the rules say of one kind; `custom`: it is not one of the API server's own."""
    concerning = (rule for rule in rules.semantics if any(_names(one, group, kind, custom) for one in rule.kinds))
    # What named writers set on objects of others, and what anyone may take away, is theirs to judge at admission.
    held = (rule for rule in rules.steering if not rule.removable and not rule.writers)
    protected = (rule.key for rule in held if not rule.kinds or any_kind(rule.kinds, group, kind))
    return Semantics(tuple(concerning), tuple(protected))


def _names(pattern: str, group: str, kind: str, custom: bool) -> bool:
    return custom if pattern == CUSTOM_KINDS else kind_matches(pattern, group, kind)
