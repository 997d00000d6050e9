"""Owns the asking of a running API server: one GET, one JSON answer, plain words when there is none. No redirects."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from reconciler.errors import ClusterError, UsageError

_SECONDS: Final = 10
_ANSWER_BYTES: Final = 64 * 1024 * 1024


class UnreachableError(ClusterError):
    """The API server of Setscrew does not answer, or answers something else."""

    code = "SS4500"


class NotFoundError(UsageError):
    """The API server of Setscrew knows nothing of what was asked for."""


def get_json(server: str, token: bytes, path: str, query: dict[str, str]) -> dict[str, Any]:
    """The JSON object under `path`. Raises UnreachableError (3), UsageError for what the server refuses (2)."""
    answer, _ = get_changed(server, token, path, query)
    return answer or {}


def find_json(server: str, token: bytes, path: str) -> dict[str, Any] | None:
    """As `get_json`, None where nothing is known under `path`."""
    try:
        return get_json(server, token, path, {})
    except NotFoundError:
        return None


def get_changed(
    server: str, token: bytes, path: str, query: dict[str, str], tag: str = ""
) -> tuple[dict[str, Any] | None, str]:
    """As `get_json`, with the tag of the answer; None where it is still what `tag` stands for."""
    headers = {"Authorization": "Bearer " + token.decode("ascii"), "Accept": "application/json"}
    headers |= {"If-None-Match": tag} if tag else {}
    target = path + ("?" + urlencode(query) if query else "")
    status, body, found = _asked(server, "GET", target, headers)
    if status == 304:
        return None, tag
    answer = _object(body, server)
    if status == 401:
        raise UsageError("the server refuses the token", where=server, hint="is --token-file that of this server?")
    if status == 404:
        raise NotFoundError(str(answer.get("detail") or answer.get("title")), where=server)
    if status in (400, 403, 410):
        raise UsageError(str(answer.get("detail") or answer.get("title")), where=server)
    if status != 200:
        raise UnreachableError(f"status {status}: {answer.get('detail') or answer.get('title')}", where=server)
    return answer, found


def post(server: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of the answer to a POST. Raises UnreachableError (3)."""
    status, answer, _ = _asked(server, "POST", path, headers, body)
    return status, _object(answer, server)


def _object(body: bytes, server: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise UnreachableError("this is not a Setscrew API server", where=server)
    return answer


def _asked(
    server: str, method: str, target: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, bytes, str]:
    """Status, body and tag of the answer."""
    # Values of headers as they are: a secret may be UTF-8.
    sent = {name: value.encode() for name, value in headers.items()}
    connection = _connection(server)
    try:
        connection.request(method, urlsplit(server).path.rstrip("/") + target, body, headers=sent)
        answer = connection.getresponse()
        return answer.status, answer.read(_ANSWER_BYTES), answer.getheader("ETag", "")
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = "is `setscrew run` running?"
        raise UnreachableError(f"the API server does not answer: {words}", where=server, hint=hint) from None
    finally:
        connection.close()


def _connection(server: str) -> http.client.HTTPConnection:
    try:
        parts = urlsplit(server)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if not host or scheme not in ("http", "https"):
        raise UsageError("not a URL of a server", where=server, hint="for example http://127.0.0.1:8080")
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=_SECONDS)
