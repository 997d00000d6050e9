"""Owns the one ValidatingWebhookConfiguration of an installation in the API server. Must not know how it is built.

The client is injected: this package knows no Kubernetes library.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from reconciler.errors import ApiError, ClusterError
from webhook.registration.configuration import NAME

_PATH = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_ATTEMPTS = 5

Outcome = Literal["created", "changed", "unchanged"]


class Api(Protocol):
    """`reconciler.cluster.api.ApiClient`, as far as it is needed here. Refusals are ApiError with a `status`."""

    def request(self, method: str, path: str, body: Any = None, /) -> dict[str, Any]:
        """Send one JSON request, return the JSON object that answers it."""


def register(api: Api, configuration: dict[str, Any]) -> Outcome:
    """Create the configuration or bring it up to date; writes nothing where it is.

    Labels and annotations that others have set stay. Raises ClusterError where the API server refuses, or where others
    keep changing the object meanwhile.
    """
    name = configuration["metadata"]["name"]
    for _ in range(_ATTEMPTS):
        live = _get(api, name)
        try:
            if live is None:
                api.request("POST", _PATH, configuration)
                return "created"
            wanted = merged(live, configuration)
            if wanted == live:
                return "unchanged"
            api.request("PUT", f"{_PATH}/{name}", wanted)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
        else:
            return "changed"
    raise ClusterError(
        "the registration keeps being changed by someone else",
        where=f"ValidatingWebhookConfiguration {name}",
        hint="its managedFields name who",
    )


def remove(api: Api, name: str = NAME) -> bool:
    """Take the configuration away: from then on nothing is refused. False where there is none."""
    try:
        api.request("DELETE", f"{_PATH}/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True


def registered_now(api: Api, name: str = NAME) -> bool:
    """Whether the configuration is there."""
    return _get(api, name) is not None


def merged(live: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """`live` with our webhooks, labels and annotations in it."""
    metadata = dict(live["metadata"])
    for field in ("labels", "annotations"):
        if ours := wanted["metadata"].get(field):
            metadata[field] = {**metadata.get(field, {}), **ours}
    return {**live, "metadata": metadata, "webhooks": wanted["webhooks"]}


def _get(api: Api, name: str) -> dict[str, Any] | None:
    try:
        return api.request("GET", f"{_PATH}/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        return None
