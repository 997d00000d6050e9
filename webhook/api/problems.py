"""Owns the shape of errors: RFC 9457 problem+json, one sentence, no detail of the inside. Must not log bodies."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from reconciler.errors import StoreError

LOG = logging.getLogger("setscrew.api")


class Problem(Exception):  # noqa: N818 (the word of RFC 9457)
    """Ends a request with this status and sentence. `alike`: the body says the same whatever the status.

    `members` are further members of the body, for programs.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        headers: dict[str, str] | None = None,
        alike: bool = False,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.alike = alike
        self.members = members or {}


def problem(
    status: int,
    detail: str = "",
    headers: dict[str, str] | None = None,
    *,
    alike: bool = False,
    members: Mapping[str, str] | None = None,
) -> Response:
    """The response that tells `detail`; title and status are optional in the RFC."""
    body: dict[str, object] = {"type": "about:blank"}
    body |= {} if alike else {"title": HTTPStatus(status).phrase, "status": status}
    text = json.dumps({**body, **({"detail": detail} if detail else {}), **(members or {})})
    return Response(text, status, headers, content_type="application/problem+json")


def register(app: Flask) -> None:
    """Answer every error of `app` as a problem."""
    app.register_error_handler(Problem, _told)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(StoreError, _store)
    app.register_error_handler(Exception, _unexpected)


def _told(error: Problem) -> Response:
    return problem(error.status, error.detail, error.headers, alike=error.alike, members=error.members)


def http_problem(error: HTTPException) -> Response:
    """What the framework ends a request with, as a problem."""
    allowed = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
    return problem(error.code or 500, "", headers)


def _store(error: StoreError) -> Response:
    LOG.error("%s", error)
    return problem(503, "the state store cannot be read now", {"Retry-After": "5"})


def _unexpected(error: Exception) -> Response:
    LOG.error("unexpected %s", type(error).__name__, exc_info=error)
    return problem(500)
