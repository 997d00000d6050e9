"""Owns reading error answers and Warning headers of the API server. Must not send anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import urllib3

from reconciler.errors import ApiError
from reconciler.limits import API_MESSAGE_CHARS

_HINTS: Final[Mapping[int, str]] = {
    401: "the credentials are not accepted or have expired",
    403: "grant the missing right, or use another identity",
    429: "the API server is busy: try again later",
}
# RFC 7234 §5.5: code, agent, quoted text.
_WARNING: Final = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')


def api_error(
    method: str, path: str, status: int, headers: urllib3.HTTPHeaderDict | Mapping[str, str], data: bytes
) -> ApiError:
    """The error of an answer; the message is the API server's own, in one line and cut."""
    body = _status_object(data)
    details = body.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    # Without a Status object (a proxy, "404 page not found") the first line is all there is to say.
    message = str(body.get("message") or data[:API_MESSAGE_CHARS].decode(errors="replace").partition("\n")[0])
    return ApiError(
        one_line(message) or f"HTTP {status}",
        status=status,
        reason=str(body.get("reason") or ""),
        causes=tuple(
            (str(cause.get("field") or ""), str(cause.get("reason") or ""), one_line(str(cause.get("message") or "")))
            for cause in (causes if isinstance(causes, list) else ())
            if isinstance(cause, Mapping)
        ),
        retry_after=_seconds(headers.get("Retry-After")),
        where=f"{method} {path}",
        hint=_HINTS.get(status, ""),
    )


def warnings_of(headers: urllib3.HTTPHeaderDict | Mapping[str, str]) -> tuple[str, ...]:
    """The texts of all Warning headers, in order, each once."""
    texts = _WARNING.findall(headers.get("Warning") or "")
    return tuple(dict.fromkeys(one_line(re.sub(r"\\(.)", r"\1", text)) for text in texts))


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, at most API_MESSAGE_CHARS long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text[: 2 * API_MESSAGE_CHARS]).split())
    return line if len(line) <= API_MESSAGE_CHARS else line[: API_MESSAGE_CHARS - 1] + "…"


def _status_object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) and (body.get("kind") == "Status" or body.get("status") == "Failure") else {}


def _seconds(value: str | None) -> float:
    return float(value) if value and value.isdigit() else 0.0
