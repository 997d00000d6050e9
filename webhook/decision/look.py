"""Owns what is known of Git when a review is judged: was the reconciler asked, and what it saw. Must not ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Look:
    """One look at Git on behalf of a waiting writer.

    `asked`: the reconciler was asked, so that the answer is final. `answered`: it has answered in time, and the
    snapshot is what it saw. `ahead`: sources whose remote was seen ahead of the enforced revision, not rendered in
    time. `failed`: sources that could not be read, and why. `since`: the commit of each source that was enforced when
    the review arrived.
    """

    asked: bool = False
    answered: bool = False
    ahead: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    since: Mapping[str, str] = field(default_factory=dict)


NOT_ASKED: Final = Look()
# The newest revision is in the snapshot, and it is known to be the newest.
CURRENT: Final = Look(asked=True, answered=True)
