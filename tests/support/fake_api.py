"""Owns an API server made of answers, for unit tests of the cluster edge; must not open a socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.cluster.api import Response
from reconciler.errors import ApiError

Handler = Callable[["Call"], Any]


@dataclass(frozen=True)
class Call:
    """One request as the client sent it."""

    method: str
    path: str
    body: Any
    query: Mapping[str, Any]


@dataclass
class FakeApi:
    """Stands for `ApiClient`: `handler` answers with a body or a `Response`, or raises."""

    handler: Handler
    calls: list[Call] = field(default_factory=list)

    def send(self, method: str, path: str, body: Any = None, query: Any = None, **_: str) -> Response:
        """Answer one request."""
        call = Call(method, path, body, dict(query or {}))
        self.calls.append(call)
        answer = self.handler(call)
        return answer if isinstance(answer, Response) else Response(200, answer)

    def request(self, method: str, path: str, body: Any = None, query: Any = None, **_: str) -> Any:
        """Answer one request with its body."""
        return self.send(method, path, body, query).body

    @property
    def sent(self) -> list[str]:
        """`METHOD last-part-of-path` of every request."""
        return [f"{call.method} {call.path.rpartition('/')[2]}" for call in self.calls]


def refused(status: int, message: str = "no", reason: str = "", fields: tuple[str, ...] = ()) -> ApiError:
    """An error answer."""
    return ApiError(message, status=status, reason=reason, causes=tuple((name, "Invalid", "x") for name in fields))
