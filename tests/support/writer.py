"""Owns a GitOps controller's way of writing: server-side apply over HTTPS with a real token. Must not judge answers."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

_CONNECTIONS: Final = 20
_APPLY: Final = "fieldManager=argocd-controller&force=true"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said to one write: status, message of a refusal, texts of its warnings."""

    status: int
    message: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Writer:
    """Writes ConfigMaps as the identity of a kubeconfig with a token."""

    kubeconfig: Path
    _netloc: str = field(init=False)
    _token: str = field(init=False)
    _context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        document = yaml.safe_load(self.kubeconfig.read_text())
        cluster = document["clusters"][0]["cluster"]
        self._netloc = urlsplit(cluster["server"]).netloc
        self._token = document["users"][0]["user"]["token"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=ca)

    def apply(self, tree: Mapping[str, Any], *, dry_run: bool = False) -> Answer:
        """One server-side apply."""
        metadata = tree["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/configmaps/{metadata['name']}?{_APPLY}"
        path += "&dryRun=All" if dry_run else ""
        return self._request("PATCH", path, tree)

    def apply_all(self, trees: Iterable[Mapping[str, Any]]) -> list[Answer]:
        """All at once, over several connections."""
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return list(pool.map(self.apply, trees))

    def delete(self, namespace: str, name: str) -> Answer:
        """One DELETE."""
        return self._request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/{name}", None)

    def _request(self, method: str, path: str, body: Any) -> Answer:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/apply-patch+yaml",
            "Accept": "application/json",
        }
        connection = http.client.HTTPSConnection(self._netloc, context=self._context, timeout=60)
        with closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            warnings = tuple(answer.headers.get_all("Warning", ()))
        return Answer(answer.status, said.get("message", "") if answer.status >= 300 else "", warnings)
