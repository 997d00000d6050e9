"""Owns who a request comes from: subjects, real tokens. Must not know objects.

A *delegation* to a service account holds only for a real token: it carries a uid, plain impersonation does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.policy.model import Subject, Writer
from webhook.decision.types import Identity

CANONICALIZER: Final = "system:serviceaccount:setscrew-system:setscrew-canonicalizer"
GARBAGE_COLLECTOR: Final = (Subject(service_account="kube-system/generic-garbage-collector"),)
NAMESPACE_CONTROLLER: Final = (Subject(service_account="kube-system/namespace-controller"),)
_PREFIX: Final = "system:serviceaccount:"


def is_service_account(identity: Identity) -> bool:
    """True for a service account, impersonated or real."""
    return identity.username.startswith(_PREFIX)


def has_real_token(identity: Identity) -> bool:
    """True where the API server authenticated a token of the service account itself."""
    return is_service_account(identity) and bool(identity.uid)


def is_controller(identity: Identity) -> bool:
    """True for machinery: a service account's own token, or a component of the control plane."""
    name = identity.username
    return has_real_token(identity) or name == "system:apiserver" or name.startswith("system:kube-")


def named_writer(identity: Identity, writers: Iterable[Writer]) -> Writer | None:
    """The policy's writer that this identity is. Only one whose writes are verified by content may be impersonated."""
    for writer in writers:
        if is_one_of(identity, writer.subjects, token=writer.verify != "Content"):
            return writer
    return None


def is_one_of(identity: Identity, subjects: Iterable[Subject], *, token: bool = True) -> bool:
    """True if a subject names this identity; service accounts need a real token unless `token` is False."""
    return any(_is(identity, subject, token=token) for subject in subjects)


def _is(identity: Identity, subject: Subject, *, token: bool) -> bool:
    if subject.service_account:
        name = _PREFIX + subject.service_account.replace("/", ":")
        return identity.username == name and (not token or bool(identity.uid))
    if subject.user:
        return identity.username == subject.user
    return subject.group in identity.groups
