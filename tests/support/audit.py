"""Owns reading what the API server's audit log and the controllers' log say of our refusals. Must not judge them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from reconciler.model.own import CANARY
from setscrew.controlplane import ControlPlane

GUARD: Final = "guard.setscrew.dev"
_POLICY: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
"""


def policy_file(directory: Path) -> Path:
    """An audit policy that records every write, without bodies."""
    path = directory / "audit.yaml"
    path.write_text(_POLICY)
    return path


def writes(plane: ControlPlane) -> Iterator[dict[str, Any]]:
    """Every write that the API server has answered; a log that grew too large has older parts beside it."""
    for path in sorted(plane.audit_log.parent.glob(f"{plane.audit_log.stem}*")):
        with path.open() as lines:
            yield from (json.loads(line) for line in lines if line.endswith("}\n"))


def refused_by_us(event: dict[str, Any]) -> bool:
    """Whether the webhook denied it."""
    status = event.get("responseStatus", {})
    return GUARD in status.get("message", "") and status.get("status") == "Failure"


def refused_as_it_asked(event: dict[str, Any]) -> bool:
    """Whether it is a refusal that our own canary wants to see."""
    said = event.get("responseStatus", {}).get("message", "")
    return event["user"]["username"] == CANARY and f'{GUARD}" denied the request' in said


def unasked(event: dict[str, Any]) -> bool:
    """Whether the API server asked us in vain and went on."""
    return any("failed-open" in key for key in event.get("annotations", {}))


def in_short(event: dict[str, Any]) -> str:
    """Who wanted what, and the answer."""
    status = event.get("responseStatus", {})
    said = status.get("message", status.get("code"))
    return f"{event['user']['username']} {event['verb']} {event['requestURI']}: {said}"


def controllers_name_us(plane: ControlPlane) -> list[str]:
    """Lines of the controller-manager's log that name the webhook."""
    with plane.site.workdir.log("kube-controller-manager").open(errors="replace") as lines:
        return [line.rstrip() for line in lines if GUARD in line or "admission webhook" in line]
