"""Owns who a request comes from: subjects, real credentials. Must not know objects.

A *delegation* to a name of the cluster's own holds only for real credentials: the token of a service account carries a
uid, a client certificate of the control plane or a node the id of the credential; plain impersonation has neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.model.own import SERVICE_ACCOUNT
from reconciler.policy.controllers import CONTROLLER_MANAGER, CONTROLLERS
from reconciler.policy.model import Subject, Writer
from webhook.decision.types import Identity

GARBAGE_COLLECTOR: Final = (Subject(service_account="kube-system/generic-garbage-collector"),)
NAMESPACE_CONTROLLER: Final = (Subject(service_account="kube-system/namespace-controller"),)
_CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
# Whoever is in these by right has a name of the cluster's own; a person in one has put himself there (`--as-group`).
_OF_MACHINES: Final = ("system:nodes", "system:serviceaccounts")


def is_service_account(identity: Identity) -> bool:
    """True for a service account, impersonated or real."""
    return identity.username.startswith(SERVICE_ACCOUNT)


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
    name, groups = identity.username, identity.groups
    of_cluster, whole = name.startswith("system:"), name == CONTROLLER_MANAGER
    # A plain loop: it runs for each rule that may hold, and people are none of the service accounts in them.
    for one in subjects:
        if account := one.service_account:
            own = of_cluster and name == SERVICE_ACCOUNT + account.replace("/", ":")
            fits = own or (whole and account in CONTROLLERS)
        elif one.user:
            fits = name == one.user
        else:
            fits = one.group in groups
        if fits and not (token and not of_cluster and one.group.startswith(_OF_MACHINES)):
            return True
    return False
