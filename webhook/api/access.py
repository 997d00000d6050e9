"""Owns who may read what: bearer tokens, the namespaces of a reader, and headers that keep a browser to showing pages.

A reader of some namespaces is let to the endpoints that know how to leave all else out, and to no other.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Final

from flask import Flask, Response, g, request

from webhook.api.problems import Problem

Scope = frozenset[str] | None
"""The namespaces that may be read; None: all of them, and what has none."""

Readers = Callable[[], Mapping[bytes, frozenset[str]]]
"""The namespaces that each further token is for. Never raises."""

Callers = Callable[[bytes, str], Scope]
"""What the cluster lets the holder of a token do (`get`, `update`) with the report. Raises Problem for nothing."""

# Style and script of the pages say nothing of anything.
_OPEN_ENDPOINTS = frozenset({"health.healthz", "health.readyz", "hooks.push", "page.static"})
# What asks `scope()` and keeps to it.
_SCOPED_ENDPOINTS: Final = frozenset(
    {
        *("drift.drift", "drift.finding", "drift.summary", "report.decisions", "report.guarded"),
        *("clusters.clusters", "resources.resource", "unmanaged.unmanaged", "events.events"),
        *("openapi.document", "openapi.schema"),
        *("page.overview", "page.object"),
    }
)
_PAGES: Final = "page"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def register(app: Flask, token: bytes, readers: Readers, callers: Callers | None = None) -> None:
    """Ask for a token on every request, also on unknown paths, except health and receivers.

    `callers` are asked of tokens that nobody here knows; None: there are no others.
    """

    def check() -> None:
        if request.endpoint in _OPEN_ENDPOINTS or _hooks():
            return
        g.scope = _scope(_given(), token, readers(), callers)
        if g.scope is not None and request.endpoint not in _SCOPED_ENDPOINTS:
            raise Problem(403, "this token is for some namespaces only, and this is about the whole cluster")

    app.before_request(check)
    app.after_request(_harden)


def scope() -> Scope:
    """What the reader of this request may see."""
    found: Scope = g.scope
    return found


def unknown_token() -> Problem:
    """What whoever has no token, or a wrong one, is answered."""
    return Problem(401, "a bearer token is needed", headers={"WWW-Authenticate": _challenge()})


def _scope(given: bytes, token: bytes, readers: Mapping[bytes, frozenset[str]], callers: Callers | None) -> Scope:
    """Each token is compared, whichever is right: how long it takes says nothing. Raises Problem 401, 403, 429, 503."""
    holds = bool(token) and hmac.compare_digest(given, token)
    found = [namespaces for one, namespaces in readers.items() if hmac.compare_digest(given, one)]
    if holds:
        return None
    if found:
        return found[0]
    if callers is None or not given:
        raise unknown_token()
    return callers(given, "get" if request.method in ("GET", "HEAD", "OPTIONS") else "update")


def _hooks() -> bool:
    # A wrong method has no endpoint; it must be answered 405 by the receiver's rules, not by the token's.
    return request.path.startswith("/hooks/v1/")


def _given() -> bytes:
    # Pages are for browsers, which cannot send a bearer token of their own accord: there the token is the password.
    header = request.authorization
    if header is None:
        return b""
    given = header.token if header.type == "bearer" else header.password if header.type == "basic" and _page() else ""
    return (given or "").encode("utf-8", "replace")


def _page() -> bool:
    return request.blueprint == _PAGES


def _challenge() -> str:
    return 'Basic realm="setscrew", charset="UTF-8"' if _page() else 'Bearer realm="setscrew"'


def _harden(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
