"""Owns a fake of the API server's Leases, for unit tests of elections: one object, optimistic by resourceVersion.

A fake because the tests choose when a request is lost, late or refused, which no real server does on demand.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import ApiError


@dataclass
class FakeLease:
    """Stands for `ApiClient`. `before` is called with each request and may raise; `lose` takes it and then raises."""

    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None
    tree: dict[str, Any] | None = None
    writes: list[str] = field(default_factory=list)
    _version: int = 0

    def request(self, method: str, _path: str, body: Any = None, *_: Any, **__: Any) -> dict[str, Any]:
        """As the API server answers for `leases/setscrew`."""
        self.before(method)
        answer = self._answer(method, body)
        self.after(method)
        return answer

    def _answer(self, method: str, body: Any) -> dict[str, Any]:
        if method == "GET":
            if self.tree is None:
                raise ApiError("not found", status=404)
            return deepcopy(self.tree)
        if method == "POST" and self.tree is not None:
            raise ApiError("exists", status=409)
        if method == "PUT":
            if self.tree is None:
                raise ApiError("not found", status=404)
            if body["metadata"]["resourceVersion"] != self.tree["metadata"]["resourceVersion"]:
                raise ApiError("conflict", status=409)
        self._version += 1
        self.tree = dict(deepcopy(body))
        self.tree["metadata"]["resourceVersion"] = str(self._version)
        self.writes.append(str(self.tree["spec"]["holderIdentity"]))
        return deepcopy(self.tree)

    @property
    def holder(self) -> str:
        """Who holds it."""
        return str(self.tree["spec"]["holderIdentity"]) if self.tree else ""
