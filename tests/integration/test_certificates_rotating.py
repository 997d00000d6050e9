"""Holds that the real API server is told of an authority before it meets a certificate of it: no write fails meanwhile.

Certificates of a minute; a clock of their own is set forward, within the five minutes by which they are dated back.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.model.own import REGISTRATION
from reconciler.model.ref import KindInfo
from reconciler.policy.model import Policy
from setscrew.certificates import Certificates
from setscrew.controlplane import ControlPlane
from setscrew.registrar import Registrar
from tests.support.admission import RunningServer, admission_server
from tests.support.waiting import eventually
from webhook.registration.apply import PATH, current
from webhook.registration.client import ca_bundle
from webhook.registration.places import Guarded
from webhook.tls.authority import read_bundle
from webhook.tls.lifetime import Lives

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

CONFIG_MAP = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
GUARDED = [Guarded(CONFIG_MAP, Policy("strict", failure_policy="Fail"))]
MINUTE = Lives(authority=timedelta(seconds=120), serving=timedelta(seconds=60))
# More than the API server keeps idle connections: so many calls at a time make new ones all the while.
WRITERS = 30


@dataclass(slots=True)
class Beside:
    """What goes on in threads beside a test, and what went wrong there."""

    done: threading.Event = field(default_factory=threading.Event)
    wrong: list[str] = field(default_factory=list)
    count: int = 0

    @contextmanager
    def always(self, work: Callable[[int], str], threads: int) -> Iterator[Beside]:
        """Do `work` without a pause in so many threads, by number; it says what went wrong, "" if nothing did."""

        def run(number: int) -> None:
            while not self.done.is_set():
                if problem := work(number):
                    self.wrong.append(problem)
                self.count += 1

        running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        try:
            yield self
        finally:
            self.done.set()
            for thread in running:
                thread.join()


def leaf(server: RunningServer) -> bytes:
    """The certificate that new connections are shown."""
    return ssl.get_server_certificate(("127.0.0.1", server.settings.port)).encode()


def write(control_plane: ControlPlane, path: str) -> str:
    """One guarded write."""
    answer = control_plane.request("PATCH", path, {"data": {"at": str(time.monotonic())}}, content_type=MERGE)
    return "" if answer.status == 200 else str(answer.body)


MERGE = "application/merge-patch+json"


def verify(api: ApiClient, server: RunningServer) -> str:
    """Whether whoever trusts what is registered now can connect; a second is what the API server may need, too."""
    for _ in range(5):
        context = ssl.create_default_context(cadata=ca_bundle(current(api) or {}).decode())
        connection = http.client.HTTPSConnection("127.0.0.1", server.settings.port, context=context, timeout=10)
        try:
            with closing(connection):
                connection.request("GET", "/healthz")
                connection.getresponse().read()
        except ssl.SSLError as error:
            return f"{datetime.now(UTC):%H:%M:%S} {error}"
        except OSError:
            continue
        time.sleep(0.05)
        return ""
    return "no connection"


@dataclass(slots=True)
class Clock:
    """Runs, and can be set forward."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def set(self, time: datetime) -> None:
        """Go on from `time`."""
        self.ahead = time - datetime.now(UTC)


def test_certificates_and_their_authority_change_while_guarded_writes_go_on(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    api, clock, said = ApiClient.load(str(control_plane.admin_kubeconfig)), Clock(), list[str]()
    Certificates(tmp_path, "https://127.0.0.1", said.append, lives=MINUTE, now=clock).begin()
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    stop = threading.Event()
    with admission_server(tmp_path) as server:
        certificates = Certificates(tmp_path, server.url, said.append, lives=MINUTE, now=clock)
        registrar = Registrar(api, tmp_path, server.url, said.append, certificates)
        registrar._keep(GUARDED)
        watch = threading.Thread(target=certificates.watch, args=(stop, registrar.renewed))
        watch.start()
        try:
            guarded = {"metadata": {"name": "refused", "labels": {"verdict": "deny"}}}
            eventually(lambda: control_plane.request("POST", path, guarded).status == 403, "the guard is on")
            for number in range(WRITERS):
                assert control_plane.request("POST", path, {"metadata": {"name": f"n{number}"}}).status == 201
            authorities = set(read_bundle(certificates.current().ca_bundle))
            with (
                Beside().always(lambda number: write(control_plane, f"{path}/n{number}"), WRITERS) as writing,
                Beside().always(lambda _: verify(api, server), 2) as verifying,
            ):
                for _ in range(5):
                    before = leaf(server)
                    clock.set(certificates.current().due + timedelta(seconds=1))
                    eventually(lambda before=before: leaf(server) != before, "the next one is served")  # type: ignore[misc] # bound
                    authorities |= set(read_bundle(certificates.current().ca_bundle))
            assert (writing.wrong, verifying.wrong) == ([], [])
            assert writing.count > 100
            assert len(authorities) > 1
            assert control_plane.request("POST", path, guarded).status == 403
        finally:
            stop.set()
            watch.join()
            registrar._keeper = None
            api.request("DELETE", f"{PATH}/{REGISTRATION}")
    assert [line for line in said if "cannot" in line or "failed" in line] == []
