"""Holds `setscrew run` with certificates that others renew: a Secret of cert-manager, before a real API server."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from reconciler.cluster.api import ApiClient
from setscrew.controlplane.certificates import Authority
from setscrew.demo.stage import Stage
from tests.support import small_shop
from tests.support.admission import free_port
from tests.support.api_server_client import admission_configuration
from tests.support.mount import Mount
from webhook.registration.apply import current
from webhook.registration.client import ca_bundle
from webhook.tls.authority import new_authority, read_bundle

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

FIRST, SECOND = new_authority(datetime.now(UTC)), new_authority(datetime.now(UTC))


@pytest.fixture(scope="module")
def mount(tmp_path_factory: pytest.TempPathFactory) -> Mount:
    """The Secret, with a certificate of FIRST."""
    one = Mount(tmp_path_factory.mktemp("secret"), "127.0.0.1")
    one.swap(FIRST, FIRST, datetime.now(UTC))
    return one


@pytest.fixture(scope="module")
def stage(alone: None, mount: Mount) -> Iterator[Stage]:
    """The small shop, guarded behind the certificate of the Secret, for an API server that shows its own."""
    clients = Authority.create("admission clients", datetime.now(UTC))
    file = mount.directory.parent / "clients.crt"
    file.write_bytes(clients.pair.certificate)
    configuration = admission_configuration(file.parent, clients, "kube-apiserver-admission")
    with Stage(
        small_shop.SOURCES,
        small_shop.fill,
        scan_seconds=1,
        plane_options={"api_server_args": [f"--admission-control-config-file={configuration}"]},
        run_options=[*options(mount), "--client-ca", str(file), "--client-name", "kube-apiserver-admission"],
    ) as one:
        yield small_shop.synced_stage(one)


def options(mount: Mount) -> list[str]:
    files = mount.files
    given = {"--tls-certificate": files.certificate, "--tls-key": files.key, "--tls-ca-bundle": files.ca_bundle}
    return [word for name, path in given.items() for word in (name, str(path))]


def trusted(stage: Stage) -> set[x509.Certificate]:
    """Whom the API server trusts."""
    live = current(ApiClient.load(str(stage.plane.admin_kubeconfig)))
    return set(read_bundle(ca_bundle(live or {})))


def shown(stage: Stage) -> str:
    return ssl.get_server_certificate(("127.0.0.1", stage.admission_port))


def write(stage: Stage) -> str:
    """A write of the guarded Deployment that changes nothing, so that it is asked about and admitted; why it failed."""
    path, body = (
        "/apis/apps/v1/namespaces/shop/deployments/web",
        {"metadata": {"annotations": {"at": str(time.time())}}},
    )
    answer = stage.plane.request("PATCH", path, body, content_type="application/merge-patch+json")
    return "" if answer.status == 200 else str(answer.body)


def test_the_registration_trusts_the_bundle_and_the_guard_stands(stage: Stage, mount: Mount) -> None:
    assert trusted(stage) == {FIRST.certificate}
    assert shown(stage) == mount.files.certificate.read_text()
    assert stage.guarded()


def test_who_is_not_the_api_server_gets_no_review_and_the_state_of_health(stage: Stage, mount: Mount) -> None:
    context = ssl.create_default_context(cafile=str(mount.files.ca_bundle))
    for method, path, expected in (("POST", "/validate/apps/v1", 403), ("GET", "/readyz", 200)):
        connection = http.client.HTTPSConnection("127.0.0.1", stage.admission_port, context=context, timeout=30)
        with closing(connection):
            connection.request(method, path, "{}" if method == "POST" else None, {"Content-Type": "application/json"})
            assert connection.getresponse().status == expected


def test_authority_and_certificate_that_are_swapped_at_once_cost_no_write(stage: Stage, mount: Mount) -> None:
    before = shown(stage)
    failed: list[str] = []
    mount.swap(SECOND, SECOND, datetime.now(UTC))

    def served() -> bool:
        failed.extend(filter(None, [write(stage)]))
        return shown(stage) != before

    stage.wait("the new certificate", served)
    for _ in range(20):
        failed.extend(filter(None, [write(stage)]))
    assert failed == []
    assert trusted(stage) == {FIRST.certificate, SECOND.certificate}
    assert stage.guarded()


def test_a_swap_to_a_certificate_that_nobody_trusts_is_told(stage: Stage, mount: Mount) -> None:
    other = new_authority(datetime.now(UTC))
    good = mount.files.key.resolve()
    key = good.read_bytes()
    good.write_bytes(other.key_pem)
    stage.wait("a line about it", lambda: "tls.key: is not the key of the certificate" in stage.log)
    assert write(stage) == ""
    good.write_bytes(key)
    stage.wait("the line that all is well", lambda: "certificates are well again" in stage.log)
    assert stage.guarded()


def test_a_certificate_for_another_host_is_told_and_not_served(stage: Stage, mount: Mount) -> None:
    before = shown(stage)
    mount.host = "elsewhere.example"
    mount.swap(SECOND, SECOND, datetime.now(UTC))
    stage.wait("the reconciler's line", lambda: "tls.crt: lacks the name 127.0.0.1" in stage.log)
    stage.wait("the server's line", lambda: "clients would refuse it (IP address mismatch" in stage.log)
    assert (shown(stage), write(stage)) == (before, "")
    mount.host = "127.0.0.1"
    mount.swap(SECOND, SECOND, datetime.now(UTC))
    stage.wait("the good one", lambda: shown(stage) == mount.files.certificate.read_text())
    assert write(stage) == ""


def run(stage: Stage, mount: Mount, *more: str) -> subprocess.CompletedProcess[str]:
    """Another `setscrew run`, which is to end by itself."""
    state = Path(stage.directory / "other")
    command = [sys.executable, "-m", "setscrew", "run", "--state", str(state), "--config", str(stage.configured())]
    return subprocess.run([*command, *options(mount), *more], capture_output=True, text=True, timeout=120, check=False)


def test_what_the_api_server_could_not_verify_is_refused_at_start(stage: Stage, mount: Mount) -> None:
    ports = [
        word for name in ("admission", "api", "metrics") for word in (f"--listen-{name}", f"localhost:{free_port()}")
    ]
    done = run(stage, mount, *ports)
    assert done.returncode == 2
    assert "tls.crt: lacks the name localhost" in done.stderr
    assert "[SS1005]" in done.stderr
    assert done.stderr.count("\n") == 1
