"""Stands in for kubelet, scheduler and kube-proxy: runs the containers of Setscrew's own Pods as processes.

A fake because there is no node here. All else is real: controllers make the Pods and their EndpointSlices, the API
server issues the tokens, and the processes are told what their Pod's spec says, with addresses and paths of this
machine in place of those of a container. Must not judge.
"""

from __future__ import annotations

import http.client
import itertools
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError, ClusterError
from reconciler.model.own import NAMESPACE
from setscrew.controlplane import ControlPlane
from tests.support.kubelet import NODE, Kubelet
from webhook.parent import ends_with_parent

# What a Pod is said to have as an address, since no EndpointSlice takes a loopback one, and where it really is.
SHOWN: Final = "10.66.0."
REAL: Final = "127.66.0."
_MERGE: Final = "application/strategic-merge-patch+json"
_LOOK_SECONDS: Final = 0.1
_RESTART_SECONDS: Final = 0.5
_FAILURES: Final = 3


@dataclass
class Container:
    """One process of a Pod. `held`: it is not started again when it dies."""

    spec: dict[str, Any]
    command: list[str]
    environment: dict[str, str]
    log: Path
    sidecar: bool
    process: subprocess.Popen[bytes] | None = None
    held: bool = False
    starts: int = 0
    died: float = 0.0

    @property
    def name(self) -> str:
        """As the spec names it."""
        return str(self.spec["name"])

    def start(self) -> None:
        """Start it; its log goes on."""
        self.starts += 1
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=ends_with_parent(signal.SIGKILL),  # noqa: PLW1509 - its Pod's thread lives longer
            )

    def runs(self) -> bool:
        """True while it does."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """As a machine that is short of memory does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def tend(self) -> None:
        """Start it again a moment after it has died."""
        if self.runs() or self.held:
            self.died = 0.0
            return
        self.died = self.died or time.monotonic()
        if time.monotonic() - self.died > _RESTART_SECONDS:
            self.died = 0.0
            self.start()

    def end(self, seconds: float) -> None:
        """Its hook before the end, SIGTERM, and SIGKILL after `seconds`."""
        if not self.runs() or self.process is None:
            return
        end = time.monotonic() + seconds
        hook = (self.spec.get("lifecycle") or {}).get("preStop") or {}
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(float((hook.get("sleep") or {}).get("seconds") or 0) or 0.001)
        self.process.terminate()
        try:
            self.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class RunningPod:
    """One Pod of Setscrew on this machine."""

    tree: dict[str, Any]
    number: int
    directory: Path
    containers: list[Container] = field(default_factory=list)
    ready: bool = False
    ending: threading.Event = field(default_factory=threading.Event)
    ended: bool = False

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return str(self.tree["metadata"]["name"])

    @property
    def address(self) -> str:
        """Where its servers listen."""
        return f"{REAL}{self.number}"

    @property
    def logs(self) -> str:
        """All that its containers have said."""
        return "".join(one.log.read_text(errors="replace") for one in self.containers if one.log.exists())

    def container(self, command: str) -> Container:
        """That which runs `setscrew COMMAND`."""
        return next(one for one in self.containers if command in one.command)

    def answers(self, probe: Mapping[str, Any]) -> bool:
        """Whether an HTTP probe of its spec succeeds."""
        get = probe["httpGet"]
        ports = [port for one in self.containers for port in one.spec.get("ports") or ()]
        port = next((int(one["containerPort"]) for one in ports if one.get("name") == get["port"]), get["port"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPConnection(self.address, int(port), timeout=1)
        if get.get("scheme") == "HTTPS":
            connection = http.client.HTTPSConnection(self.address, int(port), timeout=1, context=context)
        try:
            connection.request("GET", get["path"])
            return connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class PodRunner(Kubelet):
    """`extra` are further arguments of each `setscrew COMMAND`; `pods` those that run, or have run, by name."""

    def __init__(self, plane: ControlPlane, directory: Path, extra: Mapping[str, Sequence[str]]) -> None:
        super().__init__(plane)
        self.plane, self.directory, self.extra = plane, directory, extra
        self.pods: dict[str, RunningPod] = {}
        self._started = itertools.count(1)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    @property
    def running(self) -> list[RunningPod]:
        """Pods that have not ended."""
        return [one for one in self.pods.values() if not one.ended]

    def stop(self) -> None:
        """End all processes, at once."""
        for pod in self.running:
            for one in pod.containers:
                one.held = True
                one.kill()
        for thread in self._threads:
            thread.join(10)

    def _tend(self, pod: dict[str, Any]) -> None:
        if pod["metadata"]["namespace"] != NAMESPACE:
            super()._tend(pod)
            return
        with self._lock:
            known = self.pods.get(pod["metadata"]["name"])
            if known is None:
                number = next(self._started)
                known = self.pods[pod["metadata"]["name"]] = RunningPod(pod, number, self.directory / f"p{number}")
                # From the start of the process: what it starts ends with the thread that did.
                thread = threading.Thread(target=self._run, args=(known,), daemon=True)
                self._threads.append(thread)
                thread.start()
            if pod["metadata"].get("deletionTimestamp"):
                known.ending.set()

    def _run(self, pod: RunningPod) -> None:
        try:
            self._begin(pod)
            self._say(pod, ready=False)
            probes = [one.spec["readinessProbe"] for one in pod.containers if "readinessProbe" in one.spec]
            due, failures = 0.0, 0
            while not pod.ending.wait(_LOOK_SECONDS) and not self.ended.is_set():
                for one in pod.containers:
                    one.tend()
                if time.monotonic() >= due:
                    runs = all(one.runs() for one in pod.containers)
                    failures = 0 if runs and all(map(pod.answers, probes)) else failures + 1
                    # A kubelet's failureThreshold: one late answer is none.
                    ready = runs and (not failures or (pod.ready and failures < _FAILURES))
                    if ready != pod.ready:
                        self._say(pod, ready=ready)
                    due = time.monotonic() + min((float(one.get("periodSeconds") or 10) for one in probes), default=1)
            if not self.ended.is_set():
                self._end(pod)
        except Exception as error:  # noqa: BLE001 - shown by whoever waits for the Pod
            self.faults.append(f"{pod.name}: {error!r}")
        finally:
            for one in pod.containers:
                one.held = True
                one.kill()
            pod.ended = True

    def _begin(self, pod: RunningPod) -> None:
        spec = pod.tree["spec"]
        places = {one["name"]: self._volume(pod, one) for one in spec.get("volumes") or ()}
        sidecars = [(one, True) for one in spec.get("initContainers") or ()]
        for one, sidecar in [*sidecars, *((one, False) for one in spec["containers"])]:
            mounts = {mount["mountPath"]: places[mount["name"]] for mount in one.get("volumeMounts") or ()}
            pod.containers.append(self._container(pod, one, mounts, sidecar=sidecar))
        for container in pod.containers:
            container.start()

    def _container(
        self, pod: RunningPod, spec: dict[str, Any], mounts: Mapping[str, Path], *, sidecar: bool
    ) -> Container:
        known = {"0.0.0.0": pod.address, "[::]": pod.address, **{path: str(at) for path, at in mounts.items()}}  # noqa: S104
        known_here = re.compile("|".join(re.escape(one) for one in sorted(known, key=len, reverse=True)))

        def here(text: str) -> str:
            return known_here.sub(lambda found: known[found[0]], text)

        host, port = self.plane.server.removeprefix("https://").split(":")
        own = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
        for one in spec.get("env") or ():
            field_path = ((one.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath", "")
            told = {"metadata.name": pod.name, "metadata.namespace": NAMESPACE, "status.podIP": pod.address}
            own[one["name"]] = here(str(one.get("value") or told.get(field_path, "")))
        account = next((path for place, path in mounts.items() if place.endswith("serviceaccount")), None)
        args = [here(str(one)) for one in spec.get("args") or ()]
        args += self.extra.get(args[0], ())
        args += ["--service-account", str(account)] if account else []
        environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"} | own
        command = [sys.executable, "-m", "setscrew", *args]
        return Container(spec, command, environment, self.directory / f"{pod.name}-{spec['name']}.log", sidecar)

    def _volume(self, pod: RunningPod, volume: Mapping[str, Any]) -> Path:
        place = pod.directory / str(volume["name"])[:8]
        place.mkdir(parents=True)
        if "configMap" in volume:
            path = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{volume['configMap']['name']}"
            with suppress(ApiError):
                for name, text in (self._node.request("GET", path).get("data") or {}).items():
                    (place / name).write_text(text)
        for one in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in one:
                (place / "token").touch(0o600)
                (place / "token").write_text(self._token(pod, one["serviceAccountToken"]))
                shutil.copy(self.plane.ca_file, place / "ca.crt")
                (place / "namespace").write_text(NAMESPACE)
        return place

    def _token(self, pod: RunningPod, wanted: Mapping[str, Any]) -> str:
        """A real one, bound to its Pod, as a node asks for it."""
        account, metadata = pod.tree["spec"]["serviceAccountName"], pod.tree["metadata"]
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"expirationSeconds": wanted.get("expirationSeconds") or 3600, "boundObjectRef": bound}
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
        return str(self._node.request("POST", path, {"spec": spec})["status"]["token"])

    def _say(self, pod: RunningPod, *, ready: bool) -> None:
        pod.ready = ready
        address = f"{SHOWN}{pod.number}"
        conditions = [{"type": kind, "status": str(ready)} for kind in ("ContainersReady", "Ready")]
        status = {"phase": "Running", "conditions": conditions, "podIP": address, "podIPs": [{"ip": address}]}
        status["startTime"] = pod.tree["metadata"]["creationTimestamp"]
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.name}/status"
        with suppress(ClusterError):
            self._node.send("PATCH", path, {"status": status}, content_type=_MERGE)

    def _end(self, pod: RunningPod) -> None:
        """As a kubelet does: the Pod is unready, hooks run, all get SIGTERM, sidecars once the others have ended."""
        self._say(pod, ready=False)
        grace = float(pod.tree["spec"].get("terminationGracePeriodSeconds") or 30)
        for some in (False, True):
            those = [one for one in pod.containers if one.sidecar is some]
            with ThreadPoolExecutor(max(1, len(those))) as pool:
                list(pool.map(lambda one: one.end(grace), those))
        only = {"uid": pod.tree["metadata"]["uid"]}
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod.name}"
        with suppress(ClusterError):
            self._node.send("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": only})


@contextmanager
def pod_runner(plane: ControlPlane, directory: Path, extra: Mapping[str, Sequence[str]]) -> Iterator[PodRunner]:
    """One that works until the block ends."""
    directory.mkdir(exist_ok=True)
    one = PodRunner(plane, directory, extra)
    scheduler: ApiClient = one._scheduler
    with ThreadPoolExecutor() as pool:
        following = [
            pool.submit(one.follow, scheduler, "", one._bind),
            pool.submit(one.follow, one._node, NODE, one._tend),
        ]
        try:
            yield one
        finally:
            one.ended.set()
            one.stop()
    assert [work.exception() for work in following] == [None, None]
