"""Holds that a real API server can be made to show a client certificate, and what becomes of one that shows none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.cluster.api import ApiClient
from reconciler.model.ref import KindInfo
from reconciler.policy.model import FailurePolicy, Policy
from setscrew.controlplane import ControlPlane, Tools
from setscrew.controlplane.certificates import Authority
from tests.support.admission import RunningServer, a_review, admission_server, free_port
from tests.support.api_server_client import admission_configuration
from tests.support.stub_admission import MESSAGE
from tests.support.waiting import eventually
from webhook.registration.apply import register
from webhook.registration.client import UrlClient
from webhook.registration.configuration import build
from webhook.registration.places import Guarded

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

CONFIG_MAP = KindInfo("", "v1", "ConfigMap", "configmaps", namespaced=True)
NAME = "kube-apiserver-admission"
REFUSED = {"metadata": {"name": "refused", "labels": {"verdict": "deny"}}}
PATH = "/api/v1/namespaces/default/configmaps"


@contextmanager
def guarded(plane: ControlPlane, server: RunningServer, failure: FailurePolicy) -> Iterator[None]:
    """Config maps are guarded; what is registered is in force at the API server."""
    api = ApiClient.load(str(plane.admin_kubeconfig))
    rules = [Guarded(CONFIG_MAP, Policy("p", failure_policy=failure))]
    wanted = build(rules, UrlClient(server.url), server.files.ca_bundle, "canonicalizer")
    register(api, wanted)
    api.close()
    yield
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/setscrew"
    plane.request("DELETE", path)
    eventually(lambda: plane.request("POST", f"{PATH}?dryRun=All", REFUSED).status == 201, "the guard is off")


def refusal(plane: ControlPlane) -> str:
    """What the API server answers to a write that the stub denies; "" if it let it through."""
    answer: Any = plane.request("POST", f"{PATH}?dryRun=All", REFUSED)
    return "" if answer.status == 201 else str(answer.body["message"])


def failed_open(plane: ControlPlane) -> bool:
    """Whether the API server has counted a write that it let through unasked."""
    return "apiserver_admission_webhook_fail_open_count{" in str(plane.request("GET", "/metrics").body)


def test_only_the_api_server_with_the_certificate_is_answered(alone: None, tools: Tools, tmp_path: Path) -> None:
    port = free_port()
    clients = Authority.create("admission clients", datetime.now(UTC))
    trusted = tmp_path / "clients.crt"
    trusted.write_bytes(clients.pair.certificate)
    options = [
        f"--admission-control-config-file={admission_configuration(tmp_path, clients, NAME, f'127.0.0.1:{port}')}"
    ]
    environment = {"SETSCREW_CLIENT_CA": str(trusted), "SETSCREW_CLIENT_NAMES": NAME}
    with (
        admission_server(tmp_path, environment=environment, port=port) as server,
        ControlPlane.start(tools, api_server_args=options) as plane,
    ):
        status, problem = server.post(a_review())
        assert (status, problem["code"]) == (403, "SS5007")
        with guarded(plane, server, "Fail"):
            eventually(lambda: MESSAGE in refusal(plane), "it is asked, and its denial arrives")
            assert plane.request("POST", f"{PATH}?dryRun=All", {"metadata": {"name": "fine"}}).status == 201
        with guarded(plane, server, "Ignore"):
            eventually(lambda: MESSAGE in refusal(plane), "it is asked, and its denial arrives")

        # The same API server without the certificate.
        options.clear()
        server.seen.unlink()
        plane.stop_component("kube-apiserver")
        plane.start_component("kube-apiserver")
        with guarded(plane, server, "Fail"):
            eventually(lambda: "failed calling webhook" in refusal(plane), "it is refused, and so are writes")
            assert server.requests() == []
        with guarded(plane, server, "Ignore"):
            eventually(lambda: refusal(plane) == "" and failed_open(plane), "what it cannot ask about is admitted")
            assert server.requests() == []
