"""Holds who may ask for reviews where client certificates are pinned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from webhook.server.client import NO_CERTIFICATE, WRONG_NAME, refusal


class Peer:
    """A verified client, by what the TLS library tells of it."""

    def __init__(self, certificate: Mapping[str, Any] | None) -> None:
        self.certificate = certificate

    def getpeercert(self) -> Mapping[str, Any] | None:
        """As ssl.SSLObject has it."""
        return self.certificate


def named(common: str, *alternative: tuple[str, str]) -> Peer:
    subject = ((("organizationName", "apiserver"),), (("commonName", common),))
    return Peer({"subject": subject, "subjectAltName": alternative})


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (named("apiserver"), ""),
        (named("other", ("DNS", "apiserver")), ""),
        (named("other", ("URI", "spiffe://cluster/apiserver"), ("DNS", "apiserver")), ""),
        (named("Apiserver"), WRONG_NAME),
        (named("apiserver.evil.example"), WRONG_NAME),
        (named("other", ("DNS", "*")), WRONG_NAME),
        (Peer({"subject": ((("organizationName", "apiserver"),),)}), WRONG_NAME),
        (Peer({}), NO_CERTIFICATE),
        (Peer(None), NO_CERTIFICATE),
        (None, NO_CERTIFICATE),
    ],
)
def test_a_client_needs_a_certificate_with_a_pinned_name(peer: Peer | None, expected: str) -> None:
    assert refusal(peer, ("kube", "apiserver")) == expected


def test_without_a_pinned_name_everybody_may_ask() -> None:
    assert refusal(None, ()) == ""
