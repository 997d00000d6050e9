"""Owns asking a real API server what it would store; must not store anything but the namespace it asks in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, UnreachableError
from tools.probe.seeds import NAMESPACE, OTHER_ACCOUNT
from tools.probe.shapes import Path, Root, Schema, Tree

_DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}
_THREADS = 4
_WINDOW = 512
_TRIES = 3
_BUSY = frozenset({429, 503, 504})


@dataclass(frozen=True, slots=True)
class Asked:
    """An object to ask about, and the path of what is special in it."""

    root: Root
    tree: Tree
    path: Path


def documents(client: ApiClient) -> list[Schema]:
    """The OpenAPI v3 documents of the API server."""
    index = client.request("GET", "/openapi/v3")["paths"]
    return [client.request("GET", entry["serverRelativeURL"]) for entry in index.values()]


def prepare(client: ApiClient) -> None:
    """Make the namespace, and wait for its service account: Pods are refused without."""
    client.request("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    client.request("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": OTHER_ACCOUNT}})
    for _ in range(300):
        try:
            client.request("GET", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/default")
            return
        except ApiError:
            time.sleep(0.1)
    raise TimeoutError(f"namespace {NAMESPACE} got no service account")


def answers(client: ApiClient, asked: Iterable[Asked]) -> Iterator[tuple[Asked, Tree | None]]:
    """Each object with what the server would store, in order; None where it refuses."""

    def ask(one: Asked) -> tuple[Asked, Tree | None]:
        path = one.root.path.replace("{namespace}", NAMESPACE)
        for _ in range(_TRIES):
            try:
                return one, client.request("POST", path, one.tree, _DRY_RUN)
            except UnreachableError:
                continue  # some wrong objects make the handler panic, which closes the connection
            except ApiError as error:
                if error.status in _BUSY:
                    raise
                break
        return one, None

    stream = iter(asked)
    with ThreadPoolExecutor(_THREADS) as threads:
        while window := list(islice(stream, _WINDOW)):
            yield from threads.map(ask, window)
