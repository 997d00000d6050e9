"""Owns the HTTP to the API server: credentials, pool, time-outs, errors in one line. Must not know any kind.

Bodies are plain JSON trees: typed models would drop fields that this client's version does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config.config_exception import ConfigException

from reconciler.cluster.decoding import decoded
from reconciler.cluster.status import api_error, warnings_of
from reconciler.errors import ClusterError, UnreachableError
from reconciler.limits import API_CONNECT_SECONDS, API_CONNECTIONS, API_ERROR_BYTES, API_SECONDS
from reconciler.model.tree import Tree

Query = Mapping[str, str | int | bool]
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with status below 400; `warnings` are the texts of its Warning headers, `date` is its Date header."""

    status: int
    body: Tree
    warnings: tuple[str, ...] = ()
    date: str = ""


class ApiClient:
    """One identity at one API server; safe to share between threads.

    Errors: `UnreachableError` where nothing answers within `seconds`, `ApiError` where the API server refuses. `token`
    is asked for at each request. Whatever is no GET is sent inside of `writing`, which may raise ClusterError instead.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        impersonate: str = "",
        groups: Sequence[str] = (),
        connections: int = API_CONNECTIONS,
        seconds: float = API_SECONDS,
        token: Callable[[], str] | None = None,
        writing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        configuration.connection_pool_maxsize = connections
        configuration.retries = False
        self._configuration = configuration
        # Set, it stays; else the settings look through the whole environment for one at each question for credentials,
        # which is a fifth of what a small request takes.
        configuration.proxy = configuration.proxy
        self._pool = _pool(configuration)
        self._impersonate, self._groups = impersonate, tuple(groups)
        self._token, self._writing = token, writing
        self._timeout = urllib3.Timeout(connect=min(API_CONNECT_SECONDS, seconds), read=seconds)
        self.server = str(configuration.host).rstrip("/")

    @classmethod
    def load(
        cls,
        kubeconfig: str = "",
        context: str = "",
        *,
        impersonate: str = "",
        groups: Sequence[str] = (),
        connections: int = API_CONNECTIONS,
    ) -> ApiClient:
        """The client of a kubeconfig ("" means its usual places), else that of the pod that this runs in.

        It acts as the user `impersonate` in `groups` where one is named, and keeps up to `connections` open.
        Raises `ClusterError` where neither gives usable settings.
        """
        configuration = _configuration(kubeconfig, context)
        return cls(configuration, impersonate=impersonate, groups=groups, connections=connections)

    def request(
        self,
        method: str,
        path: str,
        body: Tree = None,
        query: Query | None = None,
        *,
        content_type: str = _JSON,
    ) -> dict[str, Any]:
        """The JSON object that the API server answers with; see `send`."""
        answer = self.send(method, path, body, query, content_type=content_type).body
        if not isinstance(answer, dict):
            raise ClusterError("the API server answered with something else than a JSON object", where=path)
        return answer

    def send(
        self,
        method: str,
        path: str,
        body: Tree = None,
        query: Query | None = None,
        *,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Response:
        """Send one request; `path` begins with "/", `body` is a tree. Only reads are tried twice."""
        headers = {**self._credentials(), "Accept": accept, "User-Agent": "setscrew"}
        data = None
        if body is not None:
            data = json.dumps(body, separators=(",", ":")).encode()
            headers["Content-Type"] = content_type
        with nullcontext() if method == "GET" else self._writing():
            raw = self._exchange(method, self.server + path + _query(query), data, headers)
        if raw.status >= 300:
            raise api_error(method, path, raw.status, raw.headers, raw.data)
        date = raw.headers.get("Date") or ""
        return Response(raw.status, _json(raw.data, path), warnings_of(raw.headers), date)

    def lines(self, path: str, query: Query | None = None, *, accept: str = "*/*") -> Iterator[bytes]:
        """The lines of a GET as they come, so that an answer of any size stays small here; errors as `send`."""
        headers = {**self._credentials(), "Accept": accept, "Accept-Encoding": "gzip", "User-Agent": "setscrew"}
        url = self.server + path + _query(query)
        try:
            with self._pool.request(
                "GET", url, headers=headers, timeout=self._timeout, retries=False, redirect=False, preload_content=False
            ) as raw:
                if raw.status >= 300:
                    raise api_error("GET", path, raw.status, raw.headers, raw.read(API_ERROR_BYTES))
                yield from raw
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(self.server, error) from None

    def under(self, token: Callable[[], str]) -> ApiClient:
        """The same API server under another identity: no credential of this one goes along."""
        other = Configuration()
        for name in ("host", "ssl_ca_cert", "verify_ssl", "tls_server_name", "proxy"):
            setattr(other, name, getattr(self._configuration, name))
        return ApiClient(other, token=token)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()

    def _credentials(self) -> dict[str, str]:
        # Asked for at each request: tokens of pods and of exec plugins are renewed behind this call.
        if self._token is not None:
            return {"authorization": f"Bearer {self._token()}"}
        settings: Mapping[str, Any] = dict(self._configuration.auth_settings())
        headers = {str(entry["key"]): str(entry["value"]) for entry in settings.values() if entry["value"]}
        if self._impersonate:
            headers["Impersonate-User"] = self._impersonate
        return headers

    def _exchange(self, method: str, url: str, data: bytes | None, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        if self._groups:
            # Each in a line of its own: the API server takes no list.
            several = urllib3.HTTPHeaderDict(headers)
            for group in self._groups:
                several.add("Impersonate-Group", group)
            headers = several  # type: ignore[assignment]
        # A pooled connection that the server has just closed fails at once; a second try opens a new one. Writes are
        # not repeated: the first may have arrived.
        tries = 2 if method == "GET" else 1
        for left in reversed(range(tries)):
            try:
                return self._pool.request(
                    method, url, body=data, headers=headers, timeout=self._timeout, retries=False, redirect=False
                )
            except urllib3.exceptions.ProtocolError as error:
                if not left:
                    raise _unreachable(self.server, error) from None
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise _unreachable(self.server, error) from None
        raise AssertionError("unreachable")


def _pool(configuration: Configuration) -> urllib3.PoolManager:
    try:
        pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
    except (OSError, ValueError) as error:
        raise ClusterError(f"the certificates of the kubeconfig cannot be read: {type(error).__name__}") from None
    return pool


def _configuration(kubeconfig: str, context: str) -> Configuration:
    configuration = Configuration()
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig or None,
            context=context or None,
            client_configuration=configuration,
            persist_config=False,
        )
    except ConfigException as error:
        return _in_cluster(configuration, kubeconfig, context, str(error))
    except Exception as error:  # noqa: BLE001  a damaged file fails anywhere in the loader, and its text may quote a token
        raise ClusterError(
            f"the kubeconfig cannot be read: {type(error).__name__}",
            where=kubeconfig,
            hint="check it with `kubectl config view`",
            code="SS4003",
        ) from None
    return configuration


def _in_cluster(configuration: Configuration, kubeconfig: str, context: str, why: str) -> Configuration:
    if not kubeconfig and not context:
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException:
            pass
        else:
            return configuration
    raise ClusterError(
        f"no usable cluster settings: {why}",
        where=kubeconfig,
        hint="give --kubeconfig and --context, set KUBECONFIG, or run in a pod with a service account",
        code="SS4003",
    ) from None


def _unreachable(server: str, error: Exception) -> UnreachableError:
    refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # by its base class it is a time-out, too
    if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
        why = "no answer in time"
    elif isinstance(error, urllib3.exceptions.SSLError):
        why = "TLS failed: " + str(error).partition("] ")[2].partition(" (_ssl")[0]
    else:
        cause = error.__cause__ or error.__context__ or error
        broke = "the connection broke" if isinstance(error, urllib3.exceptions.ProtocolError) else ""
        why = str(getattr(cause, "strerror", None) or broke or type(cause).__name__)
    return UnreachableError(
        f"the API server cannot be reached: {why}", where=server, hint="check the address and that the cluster runs"
    )


def _query(query: Query | None) -> str:
    if not query:
        return ""
    return "?" + urlencode({name: str(value).lower() if value is True else value for name, value in query.items()})


def _json(data: bytes, path: str) -> Tree:
    try:
        return decoded(data) if data else {}
    except ValueError:
        raise ClusterError("the API server answered with something else than JSON", where=path) from None
