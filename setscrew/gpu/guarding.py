"""Owns asking a running instance since when objects are guarded. Must not know which objects those are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconciler.limits import REPORT_PAGE_MAX
from reconciler.model.ref import ObjectRef
from setscrew.api_client import UnreachableError, get_json
from setscrew.api_files import read_token
from setscrew.gpu.model import Guarded

_PATH: Final = "/api/v1/guarded"


def guarded_since(url: str, token_file: Path, refs: Iterable[ObjectRef]) -> dict[ObjectRef, Guarded]:
    """Those of `refs` that the instance guards. Raises UnreachableError, UsageError."""
    ask = _Asking(url, read_token(token_file))
    groups: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for ref in refs:
        groups[ref.kind, ref.namespace].add(ref.name)
    items = [item for (kind, namespace), names in groups.items() for item in ask.all(kind, namespace, names)]
    return {_ref(one): Guarded(one["source"], one["since"], one["commit"]) for one in items if one["adopted"]}


@dataclass(frozen=True, slots=True)
class _Asking:
    """One server, and its token."""

    url: str
    token: bytes

    def all(self, kind: str, namespace: str, names: Iterable[str]) -> list[dict[str, Any]]:
        """What it guards of a kind: of more than fit into a page, those of these names."""
        query = {"kind": kind} | ({"namespace": namespace} if namespace else {})
        items, is_whole = self._page(query)
        return items if is_whole else [one for name in sorted(names) for one in self._page(query | {"name": name})[0]]

    def _page(self, query: dict[str, str]) -> tuple[list[dict[str, Any]], bool]:
        answer = get_json(self.url, self.token, _PATH, query | {"limit": str(REPORT_PAGE_MAX)})
        items, metadata = answer.get("items"), answer.get("metadata")
        if answer.get("kind") != "GuardedList" or not isinstance(items, list) or not isinstance(metadata, dict):
            raise UnreachableError("this server does not say what it guards", where=self.url)
        return items, not metadata.get("remainingItemCount")


def _ref(item: dict[str, Any]) -> ObjectRef:
    return ObjectRef(item["group"], item["kind"], item["namespace"], item["name"])
