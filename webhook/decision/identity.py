"""Owns who a request comes from: subjects, real credentials. Must not know objects.

A *delegation* to a name of the cluster's own holds only for real credentials: the token of a service account carries a
uid, a client certificate of the control plane or a node the id of the credential; plain impersonation has neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.policy.controllers import CONTROLLER_MANAGER, CONTROLLERS
from reconciler.policy.model import Subject, Writer
from webhook.decision.types import Identity

CANONICALIZER: Final = "system:serviceaccount:setscrew-system:setscrew-canonicalizer"
GARBAGE_COLLECTOR: Final = (Subject(service_account="kube-system/generic-garbage-collector"),)
NAMESPACE_CONTROLLER: Final = (Subject(service_account="kube-system/namespace-controller"),)
_PREFIX: Final = "system:serviceaccount:"
_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
# Whoever is in these by right has a name of the cluster's own; a person in one has put himself there (`--as-group`).
_OF_MACHINES: Final = ("system:nodes", "system:serviceaccounts")


def is_service_account(identity: Identity) -> bool:
    """True for a service account, impersonated or real."""
    return identity.username.startswith(_PREFIX)


def has_real_token(identity: Identity) -> bool:
    """True where the API server authenticated a token of the service account itself."""
    return is_service_account(identity) and bool(identity.uid)


def is_controller(identity: Identity) -> bool:
    """True for machinery: a service account's own token, or a component of the control plane."""
    name = identity.username
    control_plane = name == "system:apiserver" or name.startswith("system:kube-")
    return has_real_token(identity) or (control_plane and _is_authentic(identity))


def _is_authentic(identity: Identity) -> bool:
    """False for names of the cluster's own that somebody else has taken on; people have no such names."""
    if not identity.username.startswith("system:"):
        return True
    return bool(identity.uid) or (not is_service_account(identity) and bool(identity.extra.get(_CREDENTIAL)))


def named_writer(identity: Identity, writers: Iterable[Writer]) -> Writer | None:
    """The policy's writer that this identity is. Only one whose writes are verified by content may be impersonated."""
    for writer in writers:
        if is_one_of(identity, writer.subjects, token=writer.verify != "Content"):
            return writer
    return None


def is_one_of(identity: Identity, subjects: Iterable[Subject], *, token: bool = True) -> bool:
    """True if a subject names this identity; names of the cluster's own need real credentials unless `token` is False.

    A controller of kube-controller-manager may also come as the user of the whole.
    """
    if token and not _is_authentic(identity):
        return False
    joined = token and not identity.username.startswith("system:")
    return any(_is(identity, one) for one in subjects if not (joined and one.group.startswith(_OF_MACHINES)))


def _is(identity: Identity, subject: Subject) -> bool:
    if subject.service_account:
        own = _PREFIX + subject.service_account.replace("/", ":")
        whole = subject.service_account in CONTROLLERS and identity.username == CONTROLLER_MANAGER
        return identity.username == own or whole
    if subject.user:
        return identity.username == subject.user
    return subject.group in identity.groups
