"""Owns a stand-in for the API server's one webhook configuration. Must not be taken for its rules of server-side apply.

It keeps what matters to a caller: optimistic locking, foreign entries that stay, choices that are left out. What the
real one does with managedFields is tested on the real one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from reconciler.errors import ApiError
from reconciler.model.own import ENTRY_SUFFIX, OFF
from webhook.registration.apply import PATH
from webhook.registration.ownership import CHOICES, MANAGER, is_ours

NOTE = {"manager": MANAGER, "operation": "Update", "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{OFF}": {}}}}}
OWN = {"manager": MANAGER, "operation": "Apply", "fieldsV1": {}}


def wanted(*names: str, **changes: Any) -> dict[str, Any]:
    """A document with these entries, `changes` in each."""
    entry = {"failurePolicy": "Ignore", "timeoutSeconds": 3, "rules": [], **changes}
    return {
        "metadata": {"name": "setscrew", "labels": {"app": "setscrew"}},
        "webhooks": [{"name": f"{name}{ENTRY_SUFFIX}", **entry} for name in names],
    }


class FakeApi:
    """The object, the calls that were made for it, and what happens right before a write (`before`)."""

    def __init__(self, live: dict[str, Any] | None = None) -> None:
        self.live = live
        self.calls: list[str] = []
        self.before: list[Callable[[FakeApi], object]] = []
        self.fails: Exception | None = None

    def request(
        self, method: str, path: str, body: Any = None, query: Any = None, /, *, content_type: str = "application/json"
    ) -> dict[str, Any]:
        del query  # force and fieldManager are always the same
        self.calls.append(f"{method} {content_type.partition('/')[2]}" if body is not None else method)
        if self.fails is not None:
            raise self.fails
        if method != "GET" and self.before:
            self.before.pop(0)(self)
        if method == "POST" and path.endswith("selfsubjectreviews"):
            return {"status": {"userInfo": {"username": "dana"}}}
        assert path in {PATH, f"{PATH}/setscrew"}
        if method == "GET" and self.live is None:
            raise ApiError("absent", status=404)
        if method == "POST":
            if self.live is not None:
                raise ApiError("there", status=409)
            self.edit(lambda live: live.update(copy.deepcopy(body)))
        if method == "PATCH":
            (self._apply if "apply" in content_type else self._merge)(copy.deepcopy(body))
        assert self.live is not None
        return copy.deepcopy(self.live)

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        """What somebody does to it; its version goes up."""
        live = self.live or {"metadata": {"name": "setscrew", "managedFields": [], "resourceVersion": "0"}}
        version = int(live["metadata"]["resourceVersion"])
        change(live)
        live["metadata"]["resourceVersion"] = str(version + 1)
        live["metadata"].setdefault("managedFields", [])
        self.live = live

    def _merge(self, body: dict[str, Any]) -> None:
        version = body["metadata"].pop("resourceVersion")
        if self.live is None or version != self.live["metadata"]["resourceVersion"]:
            raise ApiError("conflict", status=409)
        merged = {**self.live["metadata"].get("annotations", {}), **body["metadata"].get("annotations", {})}
        annotations = {key: one for key, one in merged.items() if one is not None}

        def change(live: dict[str, Any]) -> None:
            if body["metadata"].get("annotations", {}).get(OFF):
                live["metadata"]["managedFields"] = [*live["metadata"]["managedFields"], NOTE]
            live["metadata"].update(body.pop("metadata"), annotations=annotations)
            live.update(body)

        self.edit(change)

    def _apply(self, body: dict[str, Any]) -> None:
        version = body["metadata"].pop("resourceVersion", None)
        if version and self.live and version != self.live["metadata"]["resourceVersion"]:
            raise ApiError("conflict", status=409)
        there = {entry["name"]: entry for entry in (self.live or {}).get("webhooks", [])}
        foreign = [entry for name, entry in there.items() if not is_ours(name)]
        entries = [{**_chosen(there.get(entry["name"], {})), **entry} for entry in body["webhooks"]]

        def change(live: dict[str, Any]) -> None:
            for field in ("labels", "annotations"):
                left = OFF if _owns_note(live) else ""
                kept = {key: one for key, one in live["metadata"].get(field, {}).items() if key != left}
                live["metadata"][field] = {**kept, **body["metadata"].get(field, {})}
            live["metadata"]["managedFields"] = []
            live["webhooks"] = [*foreign, *entries]

        self.edit(change)


def _owns_note(live: dict[str, Any]) -> bool:
    """An apply takes away what the manager has applied before and leaves out now."""
    applied = [one for one in live["metadata"]["managedFields"] if one["operation"] == "Apply"]
    return any(f"f:{OFF}" in one["fieldsV1"].get("f:metadata", {}).get("f:annotations", {}) for one in applied)


def _chosen(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: one for key, one in entry.items() if key in CHOICES}
