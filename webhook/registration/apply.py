"""Owns the one ValidatingWebhookConfiguration of an installation in the API server. Must not know how it is built.

Written by server-side apply: what others have put on the object stays theirs. The client is injected: this package
knows no Kubernetes library.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Protocol

from reconciler.errors import ApiError, ClusterError
from reconciler.model.own import OFF, REGISTRATION
from webhook.registration.change import Change, Document, change
from webhook.registration.ownership import MANAGER, is_ours

PATH: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_KIND: Final = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
_ATTEMPTS: Final = 5
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_OWN: Final = {"fieldManager": MANAGER, "force": True}

Outcome = Literal["created", "changed", "unchanged"]


class Api(Protocol):
    """`reconciler.cluster.api.ApiClient`, as far as it is needed here. Refusals are ApiError with a `status`."""

    def request(
        self, method: str, path: str, body: Any = None, query: Any = None, /, *, content_type: str = ...
    ) -> dict[str, Any]:
        """Send one JSON request, return the JSON object that answers it."""


def register(api: Api, wanted: Document) -> Outcome:
    """Create the configuration or bring it up to date, switched off or not; writes nothing where nothing differs.

    Labels, annotations, entries and the failurePolicy that others have set stay. Raises ClusterError where the API
    server refuses, or where others keep changing the object meanwhile.
    """
    for _ in range(_ATTEMPTS):
        live = current(api)
        found = change(live, wanted)
        if not found:
            return "unchanged"
        try:
            write(api, live, found)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
        else:
            return "created" if live is None else "changed"
    raise _contested()


def write(api: Api, live: Document | None, found: Change) -> None:
    """Write one change of `live`. ApiError 409: somebody was faster, with the off-switch maybe."""
    path, applied = f"{PATH}/{REGISTRATION}", found.apply
    if live is not None and applied is not None:
        version = live["metadata"]["resourceVersion"]
        if found.managed is not None:
            # Two requests, so that the second prunes what nobody but us owns any more.
            metadata = {"resourceVersion": version, "managedFields": found.managed}
            taken = api.request("PATCH", path, {"metadata": metadata}, {"fieldManager": MANAGER}, content_type=_MERGE)
            version = taken["metadata"]["resourceVersion"]
        applied = {**applied, "metadata": {**applied["metadata"], "resourceVersion": version}}
    api.request("PATCH", path, applied, _OWN, content_type=_APPLY)


def current(api: Api) -> Document | None:
    """The configuration as the API server holds it, or None."""
    try:
        return api.request("GET", f"{PATH}/{REGISTRATION}")
    except ApiError as error:
        if error.status != 404:
            raise
        return None


def switch_off(api: Api, when: str, who: str) -> Outcome:
    """The off-switch: no entry of ours, and a note (`when` is RFC 3339) that it stays so until `register`.

    "unchanged" where it is off already. One plain patch, since it is for emergencies. Raises ClusterError.
    """
    metadata: dict[str, Any] = {"annotations": {OFF: f"{when} {who}"}}
    for _ in range(_ATTEMPTS):
        live = current(api)
        if live is not None and switched_off(live) and not ours(live):
            return "unchanged"
        try:
            if live is None:
                api.request("POST", PATH, {**_KIND, "metadata": {"name": REGISTRATION, **metadata}})
                return "created"
            take_away(api, live, metadata)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
        else:
            return "changed"
    raise _contested()


def switch_on(api: Api) -> str:
    """Take the note of the off-switch away: whoever keeps the registration writes it anew. Raises ClusterError.

    Since when and by whom it was off; "" where it was not.
    """
    for _ in range(_ATTEMPTS):
        live = current(api)
        if live is None or not (off := switched_off(live)):
            return ""
        metadata = {"annotations": {OFF: None}, "resourceVersion": live["metadata"]["resourceVersion"]}
        try:
            patch = {"metadata": metadata}
            api.request("PATCH", f"{PATH}/{REGISTRATION}", patch, {"fieldManager": MANAGER}, content_type=_MERGE)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
        else:
            return off
    raise _contested()


def switched_off(live: Document | None) -> str:
    """When it was switched off and by whom, as the object itself says; "" where it is not."""
    annotations = ((live or {}).get("metadata") or {}).get("annotations") or {}
    return (str(annotations[OFF]) or "at an unknown time") if OFF in annotations else ""


def whoami(api: Api) -> str:
    """The name that the API server knows the client by, else "unknown"."""
    try:
        answer = api.request(
            "POST",
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        )
    except ClusterError:
        return "unknown"
    user = (answer.get("status") or {}).get("userInfo") or {}
    return str(user.get("username") or "unknown")


def take_away(api: Api, live: Document, metadata: Document | None = None) -> None:
    """Leave no entry of ours in it, and this `metadata` on it. ApiError 409: somebody was faster."""
    kept = [entry for entry in live.get("webhooks") or [] if not is_ours(entry["name"])]
    version = {"resourceVersion": live["metadata"]["resourceVersion"]}
    patch = {"metadata": {**(metadata or {}), **version}, "webhooks": kept}
    api.request("PATCH", f"{PATH}/{REGISTRATION}", patch, {"fieldManager": MANAGER}, content_type=_MERGE)


def ours(live: Document) -> list[str]:
    """Names of our entries in it."""
    return [entry["name"] for entry in live.get("webhooks") or [] if is_ours(entry["name"])]


def _contested() -> ClusterError:
    return ClusterError(
        "the registration keeps being changed by someone else",
        where=f"ValidatingWebhookConfiguration {REGISTRATION}",
        hint="its managedFields name who",
    )
