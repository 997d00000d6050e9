"""Owns reading the report of an instance: all its pages, objects by name, and what is in sync. Must not print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reconciler.limits import REPORT_PAGE_MAX
from reconciler.report.query import IN_SYNC, OF_FINDINGS
from setscrew.cli.drift_named import Target, only

_PATH: Final = "/api/v1/drift"
# By what an object that is in sync can be chosen.
_UNFIT: Final = frozenset({"state", "fieldSelector", *OF_FINDINGS})


@dataclass(frozen=True, slots=True)
class Instance:
    """Where to ask, and with which token."""

    url: str
    token: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an instance: `filters` by names of the API's parameters, and objects by name (none: all)."""

    instance: Instance
    filters: Mapping[str, str]
    targets: tuple[Target, ...] = ()

    def report(self, limit: int | None, tag: str = "") -> tuple[dict[str, Any] | None, str]:
        """The report with so many findings (None: all) and its tag; None in its place where `tag` is still its tag.

        Of objects by name all findings are read, and the tag tells what was found. Raises SetscrewError.
        """
        if not self.targets:
            return self._list(self.filters, limit, tag)
        names = list(dict.fromkeys(one.name for one in self.targets))
        found, _ = self._list({**self.filters, "name": names[0]}, None, "")
        whole: dict[str, Any] = found or {}
        for name in names[1:]:
            more, _ = self._list({**self.filters, "name": name}, None, "")
            whole["items"] += (more or {"items": []})["items"]
        whole = only(whole, self.targets)
        told = repr([(item["id"], item["fingerprint"], item["state"]) for item in whole["items"]])
        return (None if told == tag else whole), told

    def in_sync(self) -> list[dict[str, Any]]:
        """What is known to be as Git says, of the objects that are asked for; nothing where only findings are."""
        if _UNFIT & self.filters.keys():
            return []
        return self._in_sync(self.targets)

    def known_in_sync(self, targets: Sequence[Target]) -> list[dict[str, Any]]:
        """Those of these objects that are known to be as Git says, whatever was asked of their findings."""
        return self._in_sync(targets) if targets else []

    def _in_sync(self, targets: Sequence[Target]) -> list[dict[str, Any]]:
        chosen = {name: value for name, value in self.filters.items() if name not in _UNFIT | {"sort"}}
        found: list[dict[str, Any]] = []
        for name in dict.fromkeys(one.name for one in targets) or (None,):
            named = {} if name is None else {"name": name}
            page, _ = self._list({**chosen, **named, "state": IN_SYNC}, None, "")
            found += (page or {"items": []})["items"]
        return [item for item in found if not targets or any(one.is_of(item) for one in targets)]

    def _list(self, filters: Mapping[str, str], limit: int | None, tag: str) -> tuple[dict[str, Any] | None, str]:
        """All pages that are wanted, as one; None where it is as it was."""
        report, tag = self._page(filters, {"limit": str(min(limit or REPORT_PAGE_MAX, REPORT_PAGE_MAX))}, tag)
        page = report
        while limit is None and page and page["metadata"].get("continue") and report is not None:
            more = {"limit": str(REPORT_PAGE_MAX), "continue": page["metadata"]["continue"]}
            page, _ = self._page(filters, more, "")
            if page is not None:
                report["items"] += page["items"]
                kept = {name: page["metadata"][name] for name in ("remainingItemCount", "continue")}
                report["metadata"] |= kept
        return report, tag

    def _page(self, filters: Mapping[str, str], more: Mapping[str, str], tag: str) -> tuple[dict[str, Any] | None, str]:
        from setscrew.api_client import UnreachableError, get_changed

        url, token = self.instance.url, self.instance.token
        report, tag = get_changed(url, token, _PATH, {**filters, **more}, tag)
        if report is not None and not (
            isinstance(report.get("items"), list) and isinstance(report.get("metadata"), dict)
        ):
            raise UnreachableError("this is not a drift report", where=url)
        return report, tag
