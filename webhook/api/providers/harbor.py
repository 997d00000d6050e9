"""Owns the form of Harbor: `PUSH_ARTIFACT`, an artifact of a registry with its tags and digests. Pure.

What Git demands of refs and ids does not hold here: a ref is a tag, an id a digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from webhook.api.providers import names
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.proof import held
from webhook.api.providers.verdict import PushedRef, Verdict, other, pushed

_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")


def proven(secrets: Sequence[bytes], delivery: Delivery, _now: float) -> bool:
    """Harbor sends what is written into its field Auth Header, as it is."""
    return held(secrets, delivery.body, delivery.raw("authorization"))


def read(delivery: Delivery) -> Verdict:
    """`PUSH_ARTIFACT`."""
    payload = delivery.payload()
    event = payload["type"]
    if not isinstance(event, str):
        raise ValueError("the event has no name")  # noqa: TRY004 (all faults of shape are one kind)
    if event != "PUSH_ARTIFACT":
        return other(event)
    data = payload["event_data"]
    resources = data["resources"]
    if not isinstance(resources, list) or not resources:
        raise ValueError("no artifact was pushed")
    host = resources[0]["resource_url"].partition("/")[0]
    name = data["repository"]["repo_full_name"]
    if not _HOST.fullmatch(host) or not isinstance(name, str) or not name:
        raise ValueError("the repository has no URL")
    return pushed(_refs(resources), names.some_url(f"{host}/{name}"))


def _refs(resources: list[Mapping[str, Any]]) -> Iterator[PushedRef]:
    """Tags with their digest; an artifact that is pushed without a tag moves none."""
    for resource in resources:
        tag, digest = resource.get("tag") or "", resource["digest"]
        if not _DIGEST.fullmatch(digest):
            raise ValueError("the digest is not one")
        if tag and tag != digest:
            if not _TAG.fullmatch(tag):
                raise ValueError("the tag is not one")
            yield PushedRef(tag, digest)
