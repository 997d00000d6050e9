"""Owns the options by which a long-running part knows that it is a container of a pod. Must not ask the cluster."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from reconciler.errors import UsageError
from setscrew.cli.common import PATH
from setscrew.options import Pod

# Where the kubelet mounts `token`, `ca.crt` and `namespace`.
_MOUNTED: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
# Options of `setscrew reconcile` by which one machine is told what a pod knows by itself.
_OF_ONE_MACHINE: Final = (
    "kubeconfig",
    "canonicalizer_kubeconfig",
    "canary_kubeconfig",
    "healer_kubeconfig",
    "api_audit_log",
    "webhook_url",
)


service_account = click.option(
    "--service-account",
    type=PATH,
    default=_MOUNTED,
    show_default=True,
    help="In a pod: where the token of its service account is mounted.",
)


def in_pod(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--in-cluster`, `--pod-name`, `--service-account` as the argument `pod`, None on one machine.

    Raises UsageError where options of one machine are given, too.
    """

    @wraps(command)
    def called(*, in_cluster: bool, pod_name: str, service_account: Path, **rest: Any) -> Any:
        given = [name for name in _OF_ONE_MACHINE if rest.get(name)]
        if in_cluster and given:
            option = given[0].replace("_", "-")
            hint = "a pod works as its own service account, and registers its own Service"
            raise UsageError(f"--{option} goes without --in-cluster", hint=hint)
        return command(pod=Pod(pod_name or socket.gethostname(), service_account) if in_cluster else None, **rest)

    options = (
        click.option("--in-cluster", is_flag=True, help="This is a container of a pod, one of several replicas."),
        click.option("--pod-name", default="", envvar="POD_NAME", help="The name of the pod; default: its host name."),
        service_account,
    )
    for option in reversed(options):
        called = option(called)
    return called
