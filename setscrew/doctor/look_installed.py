"""Owns what is asked of an API server about an installation in it. Must change nothing: reads, and one dry-run.

The dry-run is made as the canary, with a token of ten minutes that is asked for and thrown away.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from typing import Final

from reconciler.cluster.api import ApiClient
from reconciler.cluster.canary import attempt
from reconciler.cluster.pod import IssuedToken
from reconciler.errors import ApiError, StoreError
from reconciler.model.own import (
    API_VERSION,
    CANARY,
    DRY_RUNNERS,
    ENTRY_SUFFIX,
    GROUP,
    LEASE,
    LEVERS,
    NAMESPACE,
    OWN_GUARD,
    PUBLIC_FILE,
    SIGNING,
    VERSION,
)
from reconciler.model.ref import KindInfo
from reconciler.published.manifest import loaded
from reconciler.published.secrets import Secrets
from reconciler.published.signing import verify
from setscrew.doctor.facts import Document, Try
from setscrew.doctor.finding import Missing
from setscrew.doctor.gather import learned
from setscrew.doctor.installed import Installed
from webhook.registration.apply import current
from webhook.registration.ownership import is_ours
from webhook.tls.authority import read_bundle, validity
from webhook.tls.lifetime import Validity
from webhook.tls.signing import public_key

_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_REFUSED: Final = f'{ENTRY_SUFFIX}" denied the request: {CANARY} may not'
_PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"
_POLICIES: Final = KindInfo(GROUP, VERSION, "DriftPolicy", "driftpolicies", namespaced=False)


def look(client: ApiClient, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Installed:
    """All of it, each as far as it can be learned. Never raises."""
    registration = learned(lambda: current(client))
    return Installed(
        now=now(),
        ours=version_of("setscrew"),
        deployment=learned(lambda: there(client, f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/setscrew")),
        pods=learned(lambda: _items(client, f"{_PODS}?labelSelector=app.kubernetes.io/name%3Dsetscrew")),
        lease=learned(lambda: there(client, f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{LEASE}")),
        registration=registration,
        bundles=registration if isinstance(registration, Missing) else learned(lambda: _bundles(registration)),
        published=learned(lambda: _published(client)),
        levers=learned(lambda: _levers(client)),
        guard=learned(lambda: (_named(client, "ies"), _named(client, "ybindings"))),
        tried=learned(lambda: _tried(client)),
    )


def there(client: ApiClient, path: str) -> Document | None:
    """What stands at that path, or None. Raises ClusterError."""
    try:
        return client.request("GET", path)
    except ApiError as error:
        if error.status != 404:
            raise
        return None


def _items(client: ApiClient, path: str) -> tuple[Document, ...]:
    return tuple((there(client, path) or {}).get("items") or ())


def _levers(client: ApiClient) -> tuple[Document, ...]:
    root = f"/apis/{API_VERSION}"
    return tuple({**one, "kind": kind} for plural, kind in LEVERS.items() for one in _items(client, f"{root}/{plural}"))


def _named(client: ApiClient, end: str) -> Document | None:
    return there(client, f"{_ADMISSION}/validatingadmissionpolic{end}/{OWN_GUARD}")


def _bundles(registration: Document | None) -> tuple[Validity, ...]:
    entries = [one for one in (registration or {}).get("webhooks") or () if is_ours(str(one["name"]))]
    found = {str((one.get("clientConfig") or {}).get("caBundle") or "") for one in entries} - {""}
    return tuple(validity(one) for bundle in found for one in read_bundle(base64.b64decode(bundle)))


def _published(client: ApiClient) -> tuple[int, str]:
    """Of the Secrets the manifest alone is read, which holds names and digests; of the rest the names."""
    secrets = Secrets(client)
    signed, names = secrets.manifest(), secrets.versions()
    if signed is None:
        return len(names), "there is no manifest that names its parts" if names else ""
    config = there(client, f"/api/v1/namespaces/{NAMESPACE}/configmaps/{SIGNING}") or {}
    key = public_key(str((config.get("data") or {}).get(PUBLIC_FILE, "")).encode())
    if key is None:
        return len(names), f"nobody can check its signature: ConfigMap {SIGNING} holds no key"
    try:
        verify(key, signed.signature, signed.data)
        missing = loaded(signed.data).chunks - names.keys()
    except StoreError as error:
        return len(names), error.message
    return len(names), f"{len(missing)} of its parts are missing" if missing else ""


def _tried(client: ApiClient) -> Try:
    """A lever is always guarded, also where there is no source yet."""
    canary = client.under(IssuedToken(client, NAMESPACE, DRY_RUNNERS[1]))
    found = attempt(canary, _POLICIES, "", OWN_GUARD)
    # A lever is refused as a whole, whatever of it is changed: that it was we who refused is proof enough.
    proof = "sees" if found.proof == "unsure" and _REFUSED in found.detail else found.proof
    return Try(f"{GROUP}/{VERSION}", f"DriftPolicy {OWN_GUARD}", proof, found.detail, found.fix)
