"""Owns what is asked of the API server. Must change nothing: what it sends is a read, a question, or a dry-run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.canary import Finding, attempt
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.registered import read_registered
from reconciler.errors import ApiError, ClusterError
from reconciler.limits import API_CONNECTIONS, CANARY_AGAIN_SECONDS, CANARY_OBJECTS
from reconciler.loop.canary import Target, plan
from reconciler.model.own import DRY_RUNNERS, NAMESPACE
from reconciler.snapshot.model import MemorySnapshot
from setscrew.doctor.facts import Asked, Document, Held, Served, Try
from setscrew.doctor.rights import NEEDED
from webhook.registration.apply import whoami

_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def reached(kubeconfig: str, context: str = "") -> ApiClient:
    """A client of an API server that answers. Raises ClusterError, so that not every question waits for nobody."""
    client = ApiClient.load(kubeconfig, context)
    client.request("GET", "/version")
    return client


def look_skew(client: ApiClient, now: Callable[[], datetime]) -> float:
    """Seconds that the API server is ahead; 0 within what a second of the header and the answer's way leave open."""
    before = now()
    header = client.send("GET", "/version").date
    after = now()
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        raise ClusterError("its answers bear no date") from None
    if date > after:
        return (date - after).total_seconds()
    return min(0.0, (date + timedelta(seconds=1) - before).total_seconds())


def look_rights(client: ApiClient) -> Asked:
    """Which rights the client lacks of those that the reconciler needs. Raises ClusterError."""
    refused = []
    for right in NEEDED:
        answer = client.request("POST", _REVIEWS, right.review())
        if not (answer.get("status") or {}).get("allowed"):
            refused.append(right)
    return Asked(whoami(client), tuple(refused))


def look_held(client: ApiClient) -> Mapping[str, Held]:
    """The policies that hold our own identities. Raises ClusterError."""
    found = {}
    for name in DRY_RUNNERS:
        account = _there(client, f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}")
        policy = _there(client, f"{_ADMISSION}/validatingadmissionpolicies/{name}")
        binding = _there(client, f"{_ADMISSION}/validatingadmissionpolicybindings/{name}")
        found[name] = Held(account is not None, policy, binding)
    return found


def look_served(client: ApiClient) -> Served:
    """Version and kinds. Raises ClusterError."""
    found = Discovery(client)
    return Served(found.version, frozenset(found.kinds()), tuple(found.unavailable))


def look_tries(reader: ApiClient, canary: ApiClient, snapshot: MemorySnapshot) -> tuple[Try, ...]:
    """Each registered entry tried as the canary, once or twice. Raises ClusterError."""
    registered = read_registered(reader)
    targets = plan(snapshot, registered)
    names = [name for name in registered.names if name in targets]
    # A server that is silent costs each try the time-out of a call.
    with ThreadPoolExecutor(API_CONNECTIONS) as pool:
        return tuple(pool.map(lambda name: _tried(canary, name, targets[name]), names))


def _tried(canary: ApiClient, name: str, targets: list[Target]) -> Try:
    found, target = Finding("gone"), targets[0]
    for target in targets[:CANARY_OBJECTS]:
        found = _attempt(canary, target)
        if found.proof == "blind":
            # What is being switched in this moment is not blind.
            time.sleep(CANARY_AGAIN_SECONDS)
            found = _attempt(canary, target)
        if found.proof != "gone":
            break
    return Try(name, str(target.ref), found.proof, found.detail, found.fix)


def _attempt(canary: ApiClient, target: Target) -> Finding:
    return attempt(canary, target.kind, target.ref.namespace, target.ref.name, target.subresource)


def _there(client: ApiClient, path: str) -> Document | None:
    try:
        return client.request("GET", path)
    except ApiError as error:
        if error.status != 404:
            raise
        return None
