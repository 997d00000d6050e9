"""Owns plain HTTPS and JSON to the API server; must not know Kubernetes kinds beyond namespaces and service accounts.

The Kubernetes client library is not used here: the control plane also serves tests of our own use of it.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from setscrew.controlplane.errors import ControlPlaneError
from setscrew.controlplane.limits import REQUEST_SECONDS, TOKEN_SECONDS


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and decoded JSON of one response; the text where it is not JSON."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Api:
    """One server on loopback, spoken to under one client certificate."""

    port: int
    context: ssl.SSLContext

    @classmethod
    def create(cls, port: int, ca: Path, certificate: Path, key: Path) -> Api:
        """Trust `ca`, show `certificate`."""
        context = ssl.create_default_context(cafile=str(ca))
        context.load_cert_chain(certificate, key)
        return cls(port, context)

    def request(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Answer:
        """One request; any HTTP status is an answer. Raises OSError or HTTPException if there is none."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=REQUEST_SECONDS)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": content_type, "Accept": "application/json"})
            response = connection.getresponse()
            return Answer(response.status, _decoded(response.read()))
        finally:
            connection.close()

    def answers(self, path: str) -> bool:
        """Whether `path` answers with 200 now."""
        try:
            return self.request("GET", path).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def create_if_absent(self, path: str, body: Any) -> None:
        """POST; that it is there already is fine. Raises `ControlPlaneError` otherwise."""
        answer = self.request("POST", path, body)
        if answer.status not in {201, 409}:
            raise ControlPlaneError(_refusal(answer), where=f"POST {path}")

    def service_account_token(self, namespace: str, name: str) -> str:
        """Make namespace and service account if absent; return a token of the TokenRequest API."""
        self.create_if_absent("/api/v1/namespaces", {"metadata": {"name": namespace}})
        accounts = f"/api/v1/namespaces/{quote(namespace)}/serviceaccounts"
        self.create_if_absent(accounts, {"metadata": {"name": name}})
        request = {"spec": {"expirationSeconds": TOKEN_SECONDS}}
        answer = self.request("POST", f"{accounts}/{quote(name)}/token", request)
        if answer.status != 201:
            raise ControlPlaneError(_refusal(answer), where=f"token of {namespace}/{name}")
        return str(answer.body["status"]["token"])


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")


def _refusal(answer: Answer) -> str:
    message = answer.body.get("message", "") if isinstance(answer.body, dict) else answer.body
    return f"the API server answered {answer.status}: {message}"
