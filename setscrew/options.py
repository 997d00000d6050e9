"""Owns what `setscrew run` and `setscrew reconcile` are told. Must not import the work: who only starts it is small."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.cluster.pace import DEFAULT, Rate
from reconciler.limits import CANARY_SECONDS, PASS_SECONDS
from reconciler.render.spec import RenderTools
from webhook.tls.given import GivenFiles


@dataclass(frozen=True, slots=True)
class Options:
    """What `setscrew run` and `setscrew reconcile` are told. `webhook_url` "": nothing is registered.

    `enforce`: sources that are new or watched are enforced from the start, whatever differs. `adopt`: what other tools'
    definitions in the cluster manage is guarded, too. `given`: certificates that others renew. `events`: what is found
    is told in the cluster, as Kubernetes Events. `healer_kubeconfig` "": nothing is ever put back.
    """

    state_dir: Path
    config_dir: Path
    tools: RenderTools
    kubeconfig: str = ""
    canonicalizer_kubeconfig: str = ""
    canary_kubeconfig: str = ""
    canary_seconds: float = CANARY_SECONDS
    healer_kubeconfig: str = ""
    api_audit_log: Path | None = None
    webhook_url: str = ""
    allow_local: bool = False
    scan_seconds: float = PASS_SECONDS
    dry_runs: Rate = DEFAULT
    enforce: bool = False
    adopt: bool = False
    secrets_dir: Path | None = None
    given: GivenFiles | None = None
    events: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod that a part of an installation runs in: its name, and where the kubelet mounts its account."""

    name: str
    account: Path
