"""Owns an API server that holds one object, for tests of what is written to it; must not know why.

It keeps resourceVersions and a uid, answers dry-runs without keeping anything, merges server-side applies by schema,
and refuses what a test says. managedFields hold what `setscrew` has applied.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jsonpatch

from reconciler.errors import ApiError
from reconciler.model.own import REGISTRATION
from reconciler.schema.types import PLAIN, TypeNode
from tests.support.fake_api import refused

Tree = dict[str, Any]
Judge = Callable[[Tree | None, Tree], ApiError | None]


@dataclass(frozen=True)
class Written:
    """One request that writes."""

    method: str
    content_type: str
    body: Any
    query: dict[str, Any]
    before: Tree | None
    after: Tree

    @property
    def dry(self) -> bool:
        """Whether it only asked."""
        return self.query.get("dryRun") == "All"


@dataclass
class FakeObjects:
    """Stands for `ApiClient`. `judge` is asked of each write, and may refuse; `meanwhile` happens before dry-runs.

    `registration` is the guard's own, None where there is none.
    """

    live: Tree | None
    types: TypeNode = PLAIN
    judge: Judge = lambda _was, _now: None
    meanwhile: Callable[[FakeObjects], None] = lambda _: None
    registration: Tree | None = None
    written: list[Written] = field(default_factory=list)
    _version: int = 1

    def __post_init__(self) -> None:
        if self.live is not None:
            self.put(self.live)

    def put(self, tree: Tree | None) -> None:
        """The object is this from now on, whoever wrote it; None: it is gone."""
        self._version += 1
        given = {"uid": "one", "resourceVersion": str(self._version)}
        self.live = tree and {**tree, "metadata": {**tree["metadata"], **given}}

    @property
    def real(self) -> list[Written]:
        """Writes that were no dry-runs."""
        return [one for one in self.written if not one.dry]

    def request(
        self, method: str, path: str, body: Any = None, query: Any = None, *, content_type: str = "application/json"
    ) -> Any:
        """Answer one request; there is one object, whatever the path, beside the registration."""
        if method == "GET":
            found = self.registration if path.endswith(f"configurations/{REGISTRATION}") else self.live
            if found is None:
                raise refused(404, "not found", "NotFound")
            return copy.deepcopy(found)
        query = dict(query or {})
        if query.get("dryRun"):
            self.meanwhile(self)
        was = self.live
        now = body if method == "POST" else self._patched(body, content_type)
        if method == "POST" and was is not None:
            raise refused(409, "already exists", "AlreadyExists")
        if error := self.judge(was, now):
            raise error
        self.written.append(Written(method, content_type, body, query, was, now))
        if not query.get("dryRun"):
            self.put(now)
            now = self.live or {}
        return copy.deepcopy(now)

    def _patched(self, body: Any, content_type: str) -> Tree:
        if self.live is None and content_type == "application/apply-patch+yaml":
            if body["metadata"].get("uid"):
                raise refused(409, "uid mismatch: no existing object was found", "Conflict")
            return dict(body)
        if self.live is None:
            raise refused(404, "not found", "NotFound")
        if content_type == "application/json-patch+json":
            try:
                return dict(jsonpatch.apply_patch(copy.deepcopy(self.live), body))
            except jsonpatch.JsonPatchTestFailed:
                raise refused(422, "the server rejected our request", "Invalid") from None
        if body["metadata"].get("resourceVersion") not in (None, self.live["metadata"]["resourceVersion"]):
            raise refused(409, "the object has been modified", "Conflict")
        return dict(merged(copy.deepcopy(self.live), body, self.types))


def merged(live: Any, applied: Any, node: TypeNode) -> Any:
    """What server-side apply makes of a value: maps and keyed lists by member, sets as unions, all else whole."""
    if isinstance(applied, dict) and isinstance(live, dict):
        return {**live, **{key: merged(live.get(key), value, node.at(key)) for key, value in applied.items()}}
    if isinstance(applied, list) and isinstance(live, list) and node.list_type == "map":
        said = {tuple(item[key] for key in node.keys): item for item in applied}
        names = [tuple(item.get(key) for key in node.keys) for item in live]
        kept = [
            merged(item, said.pop(name), node.item) if name in said else item
            for name, item in zip(names, live, strict=True)
        ]
        return [*kept, *said.values()]
    if isinstance(applied, list) and isinstance(live, list) and node.list_type == "set":
        return [*live, *(item for item in applied if item not in live)]
    return applied
