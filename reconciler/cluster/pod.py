"""Owns the identity of the pod that this process runs in, and of accounts that it may ask tokens for.

Tokens end: the kubelet writes a new one into the mounted directory, and an issued one is asked for anew. Must not know
what anybody does with an identity.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kubernetes.client import Configuration

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError
from reconciler.limits import API_CONNECTIONS, API_SECONDS, TOKEN_READ_SECONDS, TOKEN_RENEW_AT, TOKEN_SECONDS

HOST: Final = "KUBERNETES_SERVICE_HOST"
PORT: Final = "KUBERNETES_SERVICE_PORT"
_CODE: Final = "SS4003"
Clock = Callable[[], float]


@dataclass(slots=True)
class MountedToken:
    """The token of a file that the kubelet renews; calling it gives the token. `clock` is monotonic seconds.

    Raises ClusterError while there is none and was none.
    """

    file: Path
    clock: Clock = time.monotonic
    _read: tuple[str, float] = ("", 0.0)

    def __call__(self) -> str:
        """The token as it is now."""
        token, at = self._read
        if token and self.clock() - at < TOKEN_READ_SECONDS:
            return token
        # While it is being replaced the last one holds.
        with suppress(OSError, ValueError):
            token = self.file.read_text("ascii").strip() or token
        if not token:
            raise ClusterError("there is no token of the pod's account", where=str(self.file), code=_CODE)
        self._read = (token, self.clock())
        return token


@dataclass(slots=True)
class IssuedToken:
    """A short-lived token of another account, asked for through the TokenRequest API as `client`; calling it gives it.

    Asked for anew in good time; one that still holds is used on where no other can be had. Raises ClusterError.
    """

    client: ApiClient
    namespace: str
    account: str
    clock: Clock = time.monotonic
    _token: str = ""
    _renew: float = 0.0
    _end: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> str:
        """A token that holds for a while yet."""
        with self._lock:
            now = self.clock()
            if now >= self._renew:
                try:
                    self._ask(now)
                except ClusterError:
                    if now >= self._end:
                        raise
                    self._renew = now + TOKEN_READ_SECONDS
            return self._token

    def _ask(self, now: float) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{self.account}/token"
        wanted = {"expirationSeconds": TOKEN_SECONDS}
        kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        answer = self.client.request("POST", path, {**kind, "spec": wanted})
        # The server may give less time than it is asked for, and its clock may be another.
        seconds = min(TOKEN_SECONDS, int((answer.get("spec") or {}).get("expirationSeconds") or 0))
        self._token = str((answer.get("status") or {}).get("token") or "")
        if not self._token:
            raise ClusterError("the API server gave no token", where=path)
        self._renew, self._end = now + seconds * TOKEN_RENEW_AT, now + seconds


@dataclass(frozen=True, slots=True)
class PodIdentity:
    """The API server and the account of a pod, by what the kubelet gives it."""

    server: str
    ca_file: Path
    token: MountedToken

    @classmethod
    def mounted(cls, environ: Mapping[str, str], directory: Path) -> PodIdentity:
        """`directory` holds `token` and `ca.crt`. Raises ClusterError where this is no pod with a service account."""
        host, port = environ.get(HOST, ""), environ.get(PORT, "")
        if not host or not port:
            hint = "run it in a pod, or give --kubeconfig and leave --in-cluster out"
            raise ClusterError(
                "this is no pod: the address of the API server is not given", where=HOST, hint=hint, code=_CODE
            )
        found = cls(
            f"https://{f'[{host}]' if ':' in host else host}:{port}",
            directory / "ca.crt",
            MountedToken(directory / "token"),
        )
        if not found.ca_file.is_file():
            hint = "mount the token of the service account (a projected volume) there"
            raise ClusterError(
                "the API server's authority is not mounted", where=str(found.ca_file), hint=hint, code=_CODE
            )
        found.token()
        return found

    def client(
        self,
        token: Callable[[], str] | None = None,
        *,
        connections: int = API_CONNECTIONS,
        seconds: float = API_SECONDS,
        writing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> ApiClient:
        """A client of this pod's account, or of the account that `token` is of; see `ApiClient`."""
        configuration = Configuration()
        configuration.host, configuration.ssl_ca_cert = self.server, str(self.ca_file)
        return ApiClient(
            configuration, token=token or self.token, connections=connections, seconds=seconds, writing=writing
        )
