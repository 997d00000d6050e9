"""Stands in for scheduler and kubelet, of which the control plane has none: without them no Deployment ever rolls.

Owns one invented Node, and gives Pods what controllers wait for, under the real identities: the scheduler binds them,
the node makes them Ready (or done, where they are a Job's) and completes their deletion. Must not judge.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from urllib3.exceptions import HTTPError

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, ClusterError
from setscrew.controlplane import ControlPlane

NODE: Final = "machine-1"
_MERGE: Final = "application/strategic-merge-patch+json"


class Kubelet:
    """`faults` is what the API server refused it, other than what somebody else had done already."""

    def __init__(self, plane: ControlPlane) -> None:
        self.faults: list[str] = []
        self.ended = threading.Event()
        self._numbers = itertools.count(1 << 16)
        self._scheduler = ApiClient.load(str(plane.kubeconfig("system:kube-scheduler")))
        self._node = ApiClient.load(str(plane.kubeconfig(f"system:node:{NODE}", ["system:nodes"])))
        self._node.send("POST", "/api/v1/nodes", {"metadata": {"name": NODE}})

    def _bind(self, pod: dict[str, Any]) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        self._scheduler.send("POST", f"{_path(pod)}/binding", {"metadata": pod["metadata"], "target": target})

    def _tend(self, pod: dict[str, Any]) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            only = {"uid": pod["metadata"]["uid"]}  # a StatefulSet's next Pod has the same name
            self._node.send("DELETE", _path(pod), {"gracePeriodSeconds": 0, "preconditions": only})
        elif not pod["status"].get("podIP"):
            status = _status(pod, next(self._numbers))
            self._node.send("PATCH", f"{_path(pod)}/status", {"status": status}, content_type=_MERGE)

    def follow(self, client: ApiClient, node: str, act: Callable[[dict[str, Any]], None]) -> None:
        """Call `act` with each Pod of `node`, at first and when it changes, until the end."""
        version, url = "", f"{client.server}/api/v1/pods?watch=1&fieldSelector=spec.nodeName={node}&timeoutSeconds=2"
        with ThreadPoolExecutor(4) as pool:
            while not self.ended.is_set():
                try:
                    answer = client._pool.request("GET", f"{url}&resourceVersion={version}", preload_content=False)
                    for event in map(json.loads, answer):
                        version = event["object"]["metadata"].get("resourceVersion", "")  # an error has none: anew
                        if event["type"] in ("ADDED", "MODIFIED"):
                            pool.submit(self._try, act, event["object"])
                except (HTTPError, OSError):
                    self.ended.wait(0.2)  # the API server is away

    def _try(self, act: Callable[[dict[str, Any]], None], pod: dict[str, Any]) -> None:
        try:
            act(pod)
        except ClusterError as error:
            if not isinstance(error, ApiError) or error.status not in (404, 409):
                self.faults.append(f"{act.__name__} {_path(pod)}: {error}")


K = TypeVar("K", bound=Kubelet)


@contextmanager
def kubelet(plane: ControlPlane) -> Iterator[Kubelet]:
    """One that works until the block ends."""
    with working(Kubelet(plane)) as one:
        yield one


@contextmanager
def working(one: K) -> Iterator[K]:
    """This one works until the block ends."""
    with ThreadPoolExecutor() as pool:
        following = [
            pool.submit(one.follow, one._scheduler, "", one._bind),
            pool.submit(one.follow, one._node, NODE, one._tend),
        ]
        try:
            yield one
        finally:
            one.ended.set()
    assert [work.exception() for work in following] == [None, None]


def _path(pod: dict[str, Any]) -> str:
    return "/api/v1/namespaces/{namespace}/pods/{name}".format_map(pod["metadata"])


def _status(pod: dict[str, Any], number: int) -> dict[str, Any]:
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"  # endpoints want one
    done = pod["spec"]["restartPolicy"] != "Always"
    ready = [{"type": kind, "status": str(not done)} for kind in ("ContainersReady", "Ready")]
    shown = {"podIP": address, "podIPs": [{"ip": address}], "startTime": pod["metadata"]["creationTimestamp"]}
    return {"phase": "Succeeded" if done else "Running", "conditions": ready, **shown}
