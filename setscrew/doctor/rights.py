"""Owns the rights that the reconciler needs at the API server, and what for.

manifests/base/rbac.yaml grants exactly these: a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from reconciler.model.own import DRY_RUNNERS, GROUP, LEVERS, NAMESPACE, REGISTRATION

_ADMISSION: Final = "admissionregistration.k8s.io"
_POLICIES: Final = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")


class Right(NamedTuple):
    """One verb on one resource, or on a `path` that is none. `needed` False: something works less well without it."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""
    purpose: str = ""
    needed: bool = True

    def __str__(self) -> str:
        """`patch validatingwebhookconfigurations.admissionregistration.k8s.io/setscrew`, as people read it."""
        if self.path:
            return f"{self.verb} {self.path}"
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}/{self.name}" if self.name else f"{self.verb} {kind}"

    def review(self) -> dict[str, Any]:
        """A SelfSubjectAccessReview that asks for it."""
        resource, _, below = self.resource.partition("/")
        spec: Mapping[str, Any] = {"nonResourceAttributes": {"path": self.path, "verb": self.verb}}
        if not self.path:
            place = {"group": self.group, "name": self.name, "namespace": self.namespace}
            spec = {"resourceAttributes": {"verb": self.verb, "resource": resource, "subresource": below, **place}}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}


NEEDED: Final = (
    *(Right(verb, "*", "*", purpose="read what Git may declare") for verb in ("get", "list", "watch")),
    Right("get", path="/metrics", purpose="count calls that failed open", needed=False),
    Right("create", _ADMISSION, "validatingwebhookconfigurations", purpose="register"),
    Right("patch", _ADMISSION, "validatingwebhookconfigurations", REGISTRATION, purpose="keep the registration"),
    *(
        Right(verb, _ADMISSION, kind, name, purpose="put back what holds our own identities", needed=False)
        for kind in _POLICIES
        for verb, names in (("create", ("",)), ("update", DRY_RUNNERS), ("patch", DRY_RUNNERS))
        for name in names
    ),
    *(
        Right("patch", GROUP, f"{name}/status", purpose="say how our own objects stand", needed=False)
        for name in LEVERS
    ),
    *(
        Right("create", "", "serviceaccounts/token", name, NAMESPACE, purpose="dry-run as it", needed=False)
        for name in DRY_RUNNERS
    ),
)
