"""Owns finding the rules of one field from examples. Must not know Kubernetes, nor where the examples come from.

The search is separate-and-conquer: the simplest conditions under which all examples left agree make a rule, its
examples are put aside, and so on until nothing is filled in any more. Sets of examples are bit masks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

from tools.probe.rules import KIND, Condition, Rule, Tree, consequence, holds

# A rule that only one example of many shows may be chance; of few it is one of all the cases that there are.
_SUPPORT = 2
_FEW = 20
_CONDITIONS = 2
# Strings that are names of choices, not of things: conditions may ask for their values.
_CHOICE: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
# A time that a server filled in is not the same at the next try; two answers in one second would hide it.
_OF_THE_MOMENT: Final = re.compile(r'"\d{4}-\d\d-\d\dT[\d:.]+Z"')
_IMAGES: Final = ("image", "reference")
_COPIES: Final[tuple[Rule, ...]] = ({}, {"lower": True}, {"suffix": "List"}, {"lower": True, "suffix": "List"})


@dataclass(frozen=True, slots=True)
class Example:
    """One undeclared field: the kind of the object, the declared fields around it, what was filled in (None: nothing)."""

    kind: str
    struct: dict[str, Any]
    answer: Tree


def rules_of(examples: Sequence[Example]) -> list[Rule] | None:
    """The rules that explain every example, in order; [] where nothing is ever filled in, None where none explain."""
    answers = {text(example.answer) for example in examples}
    if any(_OF_THE_MOMENT.fullmatch(answer) for answer in answers):
        return None
    if answers <= {"null"}:
        return []
    if len(answers) == 1:
        return [{"value": examples[0].answer}]
    found = [_of_some_kinds(examples), _Search(_distinct(examples), kinds=False).run()]
    simple = [rules for rules in found if rules is not None]
    if simple:
        return min(simple, key=lambda rules: sum(len(rule.get("when", ())) for rule in rules))
    return _Search(_distinct(examples)).run()


def _of_some_kinds(examples: Sequence[Example]) -> list[Rule] | None:
    """The rules, where a field is filled in for objects of some kinds only: these are named in each rule."""
    filling = {example.kind for example in examples if example.answer is not None}
    some = [example for example in examples if example.kind in filling]
    rules = rules_of(some) if len(some) < len(examples) else None
    if rules is None:
        return None
    of_kind = {"field": KIND, "in": sorted(filling)}
    return [{**rule, "when": [of_kind, *rule.get("when", ())]} for rule in rules]


def explained(examples: Sequence[Example]) -> list[Rule]:
    """As `rules_of`; kinds whose examples no rule explains get a first rule that says `computed`."""
    rules = rules_of(examples)
    if rules is not None:
        return rules
    kinds = sorted({example.kind for example in examples})
    hard = [kind for kind in kinds if rules_of([one for one in examples if one.kind == kind]) is None]
    rest = [example for example in examples if example.kind not in hard]
    below = rules_of(rest) if hard else None
    if below is None or not rest:
        return [{"computed": True}]
    return [{"when": [{"field": KIND, "in": hard}], "computed": True}, *below]


def text(value: Tree) -> str:
    """The value as text, so that `false`, `0` and `"0"` are three."""
    return json.dumps(value, sort_keys=True)


def _distinct(examples: Sequence[Example]) -> list[Example]:
    found = {(one.kind, text(one.struct), text(one.answer)): one for one in examples}
    return [found[key] for key in sorted(found)]


@dataclass(frozen=True, slots=True)
class _Candidate:
    conditions: tuple[Condition, ...]
    mask: int
    rule: Rule

    def better(self, other: _Candidate | None) -> bool:
        return other is None or self.rank < other.rank

    @property
    def rank(self) -> tuple[int, int, bool, int, str]:
        others = sum(condition["field"] != KIND for condition in self.conditions)
        return len(self.conditions), -self.mask.bit_count(), "copy" in self.rule, others, text(self.conditions)


@dataclass(slots=True)
class _Search:
    examples: list[Example]
    kinds: bool = True
    _literals: list[tuple[Condition, int]] = field(default_factory=list)
    _groups: dict[str, dict[str, tuple[Tree, int]]] = field(default_factory=dict)
    _consequences: list[tuple[Rule, int]] = field(default_factory=list)

    def run(self) -> list[Rule] | None:
        self._prepare()
        left = (1 << len(self.examples)) - 1
        wanted = self._mask(lambda example: example.answer is not None)
        rules: list[Rule] = []
        while left & wanted:
            best = self._best(left)
            if best is None:
                return None
            when: Rule = {"when": list(best.conditions)} if best.conditions else {}
            rules.append({**when, **best.rule})
            left &= ~best.mask
        return rules

    def _best(self, left: int) -> _Candidate | None:
        for size in range(_CONDITIONS + 1):
            best: _Candidate | None = None
            for candidate in self._candidates(left, size):
                if candidate.better(best):
                    best = candidate
            if best is not None:
                return best
        return self._general(left)

    def _general(self, left: int) -> _Candidate | None:
        """All conditions that the examples of one answer share, without those that are not needed to tell them.

        So a field is found that is filled in where none of many others is there.
        """
        for rule, satisfied in self._consequences:
            same = left & satisfied
            shared = [(condition, mask) for condition, mask in self._literals if same and not same & ~mask]
            if not same or _all(shared) & left != same or same.bit_count() < self._support:
                continue
            for one in list(shared):
                less = [other for other in shared if other is not one]
                if _all(less) & left == same:
                    shared = less
            return _Candidate(tuple(condition for condition, _ in shared), same, rule)
        return None

    @property
    def _support(self) -> int:
        return 1 if len(self.examples) <= _FEW else _SUPPORT

    def _candidates(self, left: int, size: int) -> Iterator[_Candidate]:
        """Pure conditions of this number, the last one perhaps a choice of several values."""
        alive = [(condition, mask) for condition, mask in self._literals if mask & left]
        for chosen in combinations(alive, size):
            yield from self._pure(tuple(condition for condition, _ in chosen), _all(chosen), left)
        for chosen in combinations(alive, size - 1) if size else ():
            mask = _all(chosen)
            if mask & left:
                yield from self._choices(tuple(condition for condition, _ in chosen), mask, left)

    def _pure(self, conditions: tuple[Condition, ...], mask: int, left: int) -> Iterator[_Candidate]:
        if not mask & left:
            return
        for rule, satisfied in self._consequences:
            # Examples that an earlier rule explains count as evidence, too.
            if not mask & left & ~satisfied and (mask & satisfied).bit_count() >= self._support:
                yield _Candidate(conditions, mask & left, rule)

    def _choices(self, conditions: tuple[Condition, ...], mask: int, left: int) -> Iterator[_Candidate]:
        named = {condition["field"] for condition in conditions}
        for name, values in self._groups.items():
            if name in named:
                continue
            for rule, satisfied in self._consequences:
                seen = [(value, at & mask) for value, at in values.values() if at & mask & left]
                pure = [(value, at) for value, at in seen if not at & left & ~satisfied]
                at = sum(at for _, at in pure)  # an example has one value, so the masks are disjoint
                if pure and (at & satisfied).bit_count() >= self._support:
                    condition = {"field": name, "in": [value for value, _ in pure]}
                    yield _Candidate((*conditions, condition), at & left, rule)

    def _prepare(self) -> None:
        names = sorted({name for example in self.examples for name in example.struct})
        conditions: list[Condition] = [{"field": name, "declared": yes} for name in names for yes in (True, False)]
        conditions += [{"field": name, "latest": yes} for name in names if name in _IMAGES for yes in (True, False)]
        for name in (*names, KIND) if self.kinds else names:
            values = self._values(name)
            if len(values) > 1:
                masks = {key: (value, self._holding({"field": name, "in": [value]})) for key, value in values.items()}
                self._groups[name] = masks
                conditions += [{"field": name, "in": [value]} for value in values.values()]
        every = (1 << len(self.examples)) - 1
        masked = [(condition, self._holding(condition)) for condition in conditions]
        # Conditions that hold for the same examples are one; the first, which asks least, stands for them.
        distinct = {mask: condition for condition, mask in reversed(masked) if 0 < mask < every}
        self._literals = [(condition, mask) for mask, condition in reversed(distinct.items())]
        self._consequences = [(rule, self._satisfied(rule)) for rule in self._outcomes(names)]

    def _values(self, name: str) -> dict[str, Tree]:
        found = [example.kind if name == KIND else example.struct.get(name) for example in self.examples]
        choices = [one for one in found if isinstance(one, bool) or (isinstance(one, str) and _CHOICE.fullmatch(one))]
        return dict(sorted((text(one), one) for one in (found if name == KIND else choices)))

    def _outcomes(self, names: list[str]) -> list[Rule]:
        answers = {text(example.answer): example.answer for example in self.examples if example.answer is not None}
        rules: list[Rule] = [{"value": answers[key]} for key in sorted(answers)]
        return rules + [
            {"copy": name, **how} for name in names for how in _COPIES if self._satisfied({"copy": name, **how})
        ]

    def _satisfied(self, rule: Rule) -> int:
        def satisfies(example: Example) -> bool:
            said = consequence(rule, example.struct)
            return example.answer is not None and type(said) is type(example.answer) and said == example.answer

        return self._mask(satisfies)

    def _holding(self, condition: Condition) -> int:
        return self._mask(lambda example: holds(condition, example.kind, example.struct))

    def _mask(self, test: Any) -> int:
        return int("".join("1" if test(example) else "0" for example in reversed(self.examples)) or "0", 2)


def _all(chosen: Sequence[tuple[Condition, int]]) -> int:
    mask = -1
    for _, each in chosen:
        mask &= each
    return mask
