"""Owns what a page says of one finding: who, where, and three panes for each change. Must not read a store."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconciler.model.ref import ObjectRef
from reconciler.report.formats.words import is_enforced
from reconciler.report.links import NO_HOSTS, GitHost, commit_link, file_link
from webhook.api.pages import undo, words

# How a name is known, for people: a client is not a person.
KNOWN_BY: Final = {
    "admission": "named by our own record of the write",
    "audit": "named by the API server's audit log",
    "managedFields": "managedFields name the client that wrote it, not the person",
    "none": "nobody recorded who wrote it",
}
# How a change is shown, and what each way is called: panes beside each other, or the diff alone, with all lines or few.
VIEWS: Final = {"split": "Side by side", "unified": "Unified", "whole": "Unified, all lines"}
_CONTEXT_LINES: Final = 3
_ALL_LINES: Final = 100_000
# What differs without anybody having changed what Git declares: a default that was chosen, an order.
_SOFT: Final = frozenset({"default-overridden", "order"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a diff: `kind` is same, gone (Git wants it) or came (it is there)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Pane:
    """One path in three panes; a side that is absent is None."""

    path: str
    field: str
    sign: words.Sign
    desired: str | None
    live: str | None
    diff: tuple[Line, ...]
    manager: str
    time: str
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One finding for the eyes: `item` is what the store holds, `hosts` are Git hosts whose pages are linked to."""

    item: Mapping[str, Any]
    hosts: Mapping[str, GitHost] = field(default_factory=lambda: NO_HOSTS)

    @property
    def ref(self) -> ObjectRef:
        """The object."""
        return undo.ref_of(self.item)

    @property
    def place(self) -> str:
        """`shop/web`, or the name alone."""
        return f"{self.ref.namespace}/{self.ref.name}" if self.ref.namespace else self.ref.name

    @property
    def over(self) -> str:
        """Since when it is over, "" for not yet."""
        return str(self.item.get("resolvedAt") or "")

    @property
    def state(self) -> words.Sign:
        """Its state, as it is or last was."""
        return words.state(self.item.get("state"))

    @property
    def meaning(self) -> str:
        """What that state says."""
        return words.MEANINGS.get(str(self.item.get("state")), "")

    @property
    def file_url(self) -> str:
        """The declaration on the page of its Git host, "" where none is known."""
        source = self.item.get("source") or {}
        place = (str(source.get("file") or ""), int(source.get("line") or 0))
        return file_link(str(source.get("url") or ""), str(source.get("commit") or ""), *place, hosts=self.hosts)

    @property
    def commit_url(self) -> str:
        """The commit there, "" where none is known."""
        source = self.item.get("source") or {}
        return commit_link(str(source.get("url") or ""), str(source.get("commit") or ""), self.hosts)

    @property
    def ignored(self) -> int:
        """How many fields differ besides, and a rule hides them."""
        return sum((self.item.get("hidden") or {}).values())

    @property
    def severity(self) -> words.Sign:
        """Its severity; an empty word where none was given."""
        return words.severity(self.item.get("severity"))

    @property
    def person(self) -> str:
        """The person who did it, "" where only a client is known, or nothing."""
        return str(self._attribution.get("user") or "")

    @property
    def who(self) -> str:
        """The person, else the client, else that nobody knows."""
        return self.person or str(self._attribution.get("manager") or "not known")

    @property
    def known_by(self) -> str:
        """How that is known."""
        return KNOWN_BY.get(str(self._attribution.get("confidence") or "none"), KNOWN_BY["none"])

    @property
    def team(self) -> str:
        """Who answers for it, "" for nobody."""
        return str((self.item.get("owner") or {}).get("team") or "")

    @property
    def owner_more(self) -> str:
        """What else is known of the owner, and what says so."""
        owner = self.item.get("owner") or {}
        named = (("costCenter", "cost center"), ("contact", "contact"), ("from", "says the"))
        return ", ".join(f"{title} {owner[key]}" for key, title in named if owner.get(key))

    @property
    def verb(self) -> str:
        """What was done, as the API server calls it."""
        return str(self._attribution.get("verb") or "")

    @property
    def enforced(self) -> bool:
        """Whether changes of it are refused, but for those of writers."""
        return is_enforced(self.item)

    @property
    def declared(self) -> str:
        """`file:line`, or the source."""
        source = self.item.get("source") or {}
        line = f":{source['line']}" if source.get("line") else ""
        return f"{source['file']}{line}" if source.get("file") else str(source.get("name") or "")

    @property
    def differs(self) -> str:
        """What differs, in a few words."""
        changes = self.item.get("changes") or ()
        if not changes:
            return str(self.item.get("reason") or ("the whole object" if self.item.get("state") == "missing" else ""))
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        return f"{changes[0].get('field') or changes[0].get('path')}{more}"

    @property
    def panes(self) -> tuple[Pane, ...]:
        """Each path that differs."""
        return self.panes_of("split")

    def panes_of(self, view: str, *, hard: bool = False) -> tuple[Pane, ...]:
        """Each path that differs, for one of VIEWS; `hard`: without defaults that were overridden, and order."""
        context = _ALL_LINES if view == "whole" else _CONTEXT_LINES
        found = (_pane(one, context) for one in self.item.get("changes") or ())
        return tuple(pane for pane in found if not (hard and pane.soft))

    @property
    def steps(self) -> tuple[undo.Step, ...]:
        """What can be done."""
        return undo.over(self.item) if self.over else undo.steps(self.item)

    @property
    def _attribution(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.item.get("attribution") or {}
        return found


def _pane(one: Mapping[str, Any], context: int) -> Pane:
    desired, live = (words.shown(one[name]) if name in one else None for name in ("desired", "live"))
    embedded = one.get("embedded")
    return Pane(
        path=f"{one.get('path')}{f' → {embedded}' if embedded else ''}",
        field=str(one.get("field") or one.get("path")),
        sign=words.change(one),
        desired=desired,
        live=live,
        diff=_diff(desired, live, context),
        manager=str(one.get("manager") or ""),
        time=str(one.get("time") or ""),
        soft=one.get("class") in _SOFT,
    )


def _diff(desired: str | None, live: str | None, context: int) -> tuple[Line, ...]:
    before, after = ([] if side is None else side.splitlines() for side in (desired, live))
    lines = difflib.unified_diff(before, after, lineterm="", n=context)
    kinds = {"-": "gone", "+": "came", " ": "same"}
    # The first two lines name files, and hunks need no numbers: a pane is short.
    return tuple(Line(kinds[line[0]], line) for line in list(lines)[2:] if line[0] in kinds)
