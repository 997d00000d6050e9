"""Owns the collection of rules about GPU classes: one line a module of rules. Must not hold a rule itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from reconciler.gpu.checker import Checker
from reconciler.gpu.dra import access, fixed, gates, names, parameters, published, selectors, shape, use
from reconciler.gpu.mig import layouts, selection
from reconciler.gpu.operators import amd, drivers, hami, policy
from reconciler.gpu.queues import fractions, kai, kueue_capacity, kueue_groups, kueue_references, quotas, volcano
from reconciler.gpu.sharing import keys, replicas


class RuleModule(Protocol):
    """A module of rules: what is called, and a title for each rule id that this may find."""

    @property
    def CHECKERS(self) -> tuple[Checker, ...]: ...  # noqa: D102, N802 - a constant of the module

    @property
    def RULES(self) -> Mapping[str, str]: ...  # noqa: D102, N802 - a constant of the module


MODULES: Final[tuple[RuleModule, ...]] = (
    # Sorted, one a line: `layouts,` after `from reconciler.gpu.mig import layouts`.
    access,
    amd,
    drivers,
    fixed,
    fractions,
    gates,
    hami,
    kai,
    keys,
    kueue_capacity,
    kueue_groups,
    kueue_references,
    layouts,
    names,
    parameters,
    policy,
    published,
    quotas,
    replicas,
    selection,
    selectors,
    shape,
    use,
    volcano,
)
CHECKERS: Final[tuple[Checker, ...]] = tuple(checker for module in MODULES for checker in module.CHECKERS)
RULES: Final[Mapping[str, str]] = {rule: title for module in MODULES for rule, title in module.RULES.items()}
