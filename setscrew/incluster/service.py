"""Owns the Service by which the API server calls the replicas: its address, its certificate's name, and its probe.

Must not register anything.
"""

from __future__ import annotations

from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.errors import ClusterError
from reconciler.limits import PROBE_SECONDS
from reconciler.model.own import ADMISSION_SERVICE, ADMISSION_SERVICE_PORT, NAMESPACE
from webhook.registration.client import ServiceClient
from webhook.registration.probe import probe

CLIENT: Final = ServiceClient(NAMESPACE, ADMISSION_SERVICE, ADMISSION_SERVICE_PORT)
_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/services/{ADMISSION_SERVICE}"


def url() -> str:
    """By the name that the serving certificate has: this is what the API server asks for."""
    return f"https://{CLIENT.host}:{CLIENT.port}"


def probed(client: ApiClient, ca_bundle: bytes) -> str:
    """Why no replica answers behind the Service, "" if one does. Never raises.

    By its address as the API server has it, so that no DNS is needed: that has a replica only once it is ready.
    """
    try:
        spec = client.request("GET", _PATH).get("spec") or {}
    except ClusterError as error:
        return f"the Service {NAMESPACE}/{ADMISSION_SERVICE} cannot be read: {error.message}"
    address = str(spec.get("clusterIP") or "")
    if address in ("", "None"):
        return f"the Service {NAMESPACE}/{ADMISSION_SERVICE} has no address of its own (clusterIP)"
    return probe(url(), ca_bundle, PROBE_SECONDS, address)
