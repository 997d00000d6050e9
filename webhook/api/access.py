"""Owns who may read: the bearer token, and the headers that keep a browser from doing more than showing a page."""

from __future__ import annotations

import hmac

from flask import Flask, Response, request

from webhook.api.problems import Problem

_OPEN_ENDPOINTS = frozenset({"health.healthz", "health.readyz", "hooks.push"})
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def register(app: Flask, token: bytes) -> None:
    """Ask for the token on every request, also on unknown paths, except health and receivers."""

    def check() -> None:
        if request.endpoint not in _OPEN_ENDPOINTS and not _hooks() and not _holds(token):
            raise Problem(401, "a bearer token is needed", headers={"WWW-Authenticate": _challenge()})

    app.before_request(check)
    app.after_request(_harden)


def _hooks() -> bool:
    # A wrong method has no endpoint; it must be answered 405 by the receiver's rules, not by the token's.
    return request.path.startswith("/hooks/v1/")


def _holds(token: bytes) -> bool:
    # The page is for browsers, which cannot send a bearer token of their own accord: there the token is the password.
    header = request.authorization
    if header is None or not token:
        return False
    given = header.token if header.type == "bearer" else header.password if _is_page(header.type) else None
    return hmac.compare_digest((given or "").encode("utf-8", "replace"), token)


def _is_page(scheme: str) -> bool:
    return scheme == "basic" and request.path == "/"


def _challenge() -> str:
    return 'Basic realm="setscrew", charset="UTF-8"' if request.path == "/" else 'Bearer realm="setscrew"'


def _harden(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
