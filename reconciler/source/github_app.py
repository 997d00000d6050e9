"""Owns tokens of GitHub Apps: asked for with a signed proof, kept until shortly before they end. No git."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler import limits
from reconciler.errors import SourceError
from reconciler.source.credentials import App, Credentials
from reconciler.source.hosts import place_of

_USER: Final = "x-access-token"


@dataclass(slots=True)
class Tokens:
    """Tokens by App and installation; several threads may ask."""

    _kept: dict[App, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def exchanged(self, found: Credentials, where: str, *, allow_private: bool = False) -> Credentials:
        """The same credentials with a token as password, if they are those of an App. Raises SourceError SS2016."""
        if found.app is None:
            return found
        with self._lock:
            token, until = self._kept.get(found.app, ("", 0.0))
            if time.time() > until - limits.APP_TOKEN_MARGIN_SECONDS:  # noqa: TID251 - it ends by the wall clock
                token, until = _asked(found.app, found, where, allow_private=allow_private)
                self._kept[found.app] = (token, until)
        return replace(found, username=_USER, password=token)


def statement(app: App, now: float, where: str) -> str:
    """What proves that we are the App: a JWT by its key, good for some minutes; `now` is in Unix seconds."""
    try:
        key = load_pem_private_key(app.key.encode(), None)
    except (ValueError, TypeError) as error:
        raise SourceError("key githubAppPrivateKey cannot be read", where=where, code="SS2010") from error
    if not isinstance(key, RSAPrivateKey):
        raise SourceError("key githubAppPrivateKey must be an RSA key", where=where, code="SS2010")
    # A minute back: clocks differ.
    claims = {"iat": int(now) - 60, "exp": int(now) + limits.APP_STATEMENT_SECONDS, "iss": app.id}
    signed = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return f"{signed}.{_base64(key.sign(signed.encode(), PKCS1v15(), hashes.SHA256()))}"


def _asked(app: App, found: Credentials, where: str, *, allow_private: bool) -> tuple[str, float]:
    """A token of the installation, and when it ends (Unix seconds)."""
    place_of(app.url, where, allow_private=allow_private, proxied=found.proxy is not None)
    said = statement(app, time.time(), where)  # noqa: TID251 - the host judges it by the wall clock
    url = f"{app.url}/app/installations/{app.installation}/access_tokens"
    headers = {"Authorization": f"Bearer {said}", "Accept": "application/vnd.github+json", "User-Agent": "setscrew"}
    request = urllib.request.Request(url, b"", headers, method="POST")  # noqa: S310 - https only, see credentials
    try:
        with _opener(found).open(request, timeout=limits.APP_SECONDS) as answer:
            body: Any = json.loads(answer.read(limits.MIB))
        return str(body["token"]), datetime.fromisoformat(str(body["expires_at"])).astimezone(UTC).timestamp()
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(f"the host answers {error.code}", where) from None
    except (OSError, HTTPException) as error:
        raise _refused(f"the host cannot be asked: {found.redacted(str(error))[:200]}", where) from None
    except (ValueError, LookupError, TypeError):
        raise _refused("the host's answer holds no token", where) from None


def _opener(found: Credentials) -> urllib.request.OpenerDirector:
    """No redirect, no proxy but the configured one, no authority but the host's."""
    context = ssl.create_default_context(cadata=found.ca or None)
    proxies = {"https": found.proxy.url} if found.proxy is not None else {}
    handlers = (urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler(proxies), _NoRedirect())
    return urllib.request.build_opener(*handlers)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Never: the statement is for this host."""


def _refused(message: str, where: str) -> SourceError:
    hint = "check the App's ID, its installation and its key"
    return SourceError(f"no token of the GitHub App: {message}", where=where, hint=hint, code="SS2016")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
