"""Owns the commands `run`, `reconcile` and `serve`: the long-running parts. Must not do their work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from reconciler.cluster.pace import DEFAULT, Rate
from reconciler.errors import UsageError
from reconciler.limits import CANARY_SECONDS, PASS_SECONDS, PASS_SECONDS_MOST
from reconciler.render.spec import RenderTools
from setscrew import statedir
from setscrew.certificates import Clients, served
from setscrew.cli.certificates import client_certificates, given_certificate
from setscrew.cli.common import EXISTING, PATH, finish, tools
from setscrew.cli.in_pod import in_pod, service_account
from setscrew.options import Options, Pod
from webhook.settings import WORKERS, AdmissionSettings

F = TypeVar("F", bound=Callable[..., Any])


def _decorated(command: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


_PLACES: Final = (
    click.option("--state", "state_dir", type=PATH, required=True, envvar="SETSCREW_STATE", help="State directory."),
    click.option(
        "--config",
        "config_dir",
        type=EXISTING,
        help="Directory of GitSource, DriftPolicy, Receiver documents; may be left out with --adopt.",
    ),
    click.option("--secrets", "secrets_dir", type=PATH, help="Directory of Secrets; default: secrets/ of --config."),
    click.option(
        "--adopt", is_flag=True, help="Guard what Argo CD's and Flux's own objects in the cluster manage, too."
    ),
    click.option("--kubeconfig", default="", envvar="KUBECONFIG", help="The reconciler's identity at the cluster."),
    click.option("--canonicalizer-kubeconfig", default="", help="The identity that dry-runs (setscrew-canonicalizer)."),
    click.option("--canary-kubeconfig", default="", help="The identity that must be refused (setscrew-canary)."),
    click.option(
        "--canary-interval",
        "canary_seconds",
        type=click.FloatRange(min=1),
        default=float(CANARY_SECONDS),
        show_default=True,
        help="Seconds between two proofs that the guard sees.",
    ),
    click.option("--healer-kubeconfig", default="", help="The identity that puts back what drifts (setscrew-healer)."),
    click.option(
        "--api-audit-log",
        type=PATH,
        help="Audit log of the cluster's API server: names each write that nobody judged.",
    ),
)
_WAYS: Final = (
    click.option(
        "--scan-interval",
        type=click.FloatRange(min=0, min_open=True, max=PASS_SECONDS_MOST),
        default=PASS_SECONDS,
        show_default=True,
        help="Seconds between two full comparisons with the cluster, beside the watch.",
    ),
    click.option(
        "--dry-runs-per-second",
        type=click.FloatRange(min=0, min_open=True),
        default=float(DEFAULT.per_second),
        show_default=True,
        help="How often the API server is asked, at most, for what it makes of an object.",
    ),
    click.option(
        "--dry-runs-at-once",
        type=click.IntRange(1, 64),
        default=DEFAULT.at_once,
        show_default=True,
        help="How many of these requests run at a time.",
    ),
    click.option(
        "--events/--no-events",
        default=False,
        show_default=True,
        help="Tell findings and decisions at their objects, as Kubernetes Events (needs manifests/events).",
    ),
    click.option("--allow-local-sources", is_flag=True, help="Let file:// repositories in: demo and tests."),
    click.option("--enforce", is_flag=True, help="Enforce every source at once, also where the cluster differs."),
)
_METRIC_NAMESPACES: Final = click.option(
    "--metric-namespaces/--no-metric-namespaces",
    default=True,
    show_default=True,
    help="Metrics of findings name namespaces.",
)

_NO_REGISTER: Final = click.option("--no-register", is_flag=True, help="Refuse nothing yet: report only.")


def _options(command: F) -> F:
    return _decorated(command, (*_PLACES, *_WAYS))


def _serving(command: F) -> F:
    options = (
        click.option(
            "--listen-metrics",
            default="127.0.0.1:8444",
            show_default=True,
            help="Where the admission server's metrics are read, in plain HTTP; empty: nowhere.",
        ),
        click.option(
            "--worker",
            type=click.Choice(WORKERS),
            default="asgi",
            show_default=True,
            help="How the admission server works; gthread is the slower fall-back.",
        ),
    )
    return _decorated(command, options)


@click.command()
@_options
@_serving
@given_certificate
@client_certificates
@click.option("--listen-admission", default="127.0.0.1:8443", show_default=True, help="Where the API server calls.")
@click.option("--listen-api", default="127.0.0.1:8080", show_default=True, help="Drift report and receivers.")
@_NO_REGISTER
@_METRIC_NAMESPACES
def run(
    listen_admission: str,
    listen_api: str,
    listen_metrics: str,
    worker: str,
    clients: Clients,
    no_register: bool,
    metric_namespaces: bool,
    **common: Any,
) -> None:
    r"""Guard a cluster from this machine: reconciler, admission server and API server in one.

    Registers itself with the API server, follows Git, refuses changes away from it, and reports drift. Ctrl-C ends all
    three; the registration stays (`setscrew register --remove` takes it away).

    A source that is new here is compared with the cluster first: where nothing differs it is enforced, else it is only
    watched, and the log says so, until `setscrew enforce SOURCE`. With --enforce nothing is asked.

    \b
    setscrew run --state ./state --config ./config --kubeconfig reconciler.kubeconfig \\
        --canonicalizer-kubeconfig canonicalizer.kubeconfig
    """
    from setscrew.run import Listen
    from setscrew.run import run as run_all

    admission, api = _address(listen_admission), _address(listen_api)
    metrics = _address(listen_metrics) if listen_metrics else None
    options = _made(tools(), "" if no_register else f"https://{listen_admission}", common)
    finish(run_all(options, Listen(admission, api, metrics, worker, clients, metric_namespaces)))


@click.command()
@_options
@given_certificate
@in_pod
@click.option(
    "--webhook-url", default="", help="Where the API server reaches the admission server; empty: no registration."
)
@_NO_REGISTER
@click.option("--helm", type=PATH, help="The pinned helm.")
@click.option("--kubectl", type=PATH, help="The pinned kubectl, for Kustomize.")
def reconcile(
    pod: Pod | None, webhook_url: str, no_register: bool, helm: Path | None, kubectl: Path | None, **common: Any
) -> None:
    """The reconciler alone: Git to snapshots, live state to findings. `setscrew run` starts it.

    With --in-cluster it is a container of a pod: one of all replicas leads, the others follow what it publishes.
    Sources and policies are then objects of the cluster, and --config holds further documents.
    """
    found = tools()
    made = RenderTools(helm or found.helm, kubectl or found.kubectl)
    if pod is None:
        from setscrew.reconcile import run as run_reconciler

        run_reconciler(_made(made, "" if no_register else webhook_url, common))
        return
    from setscrew.incluster import service
    from setscrew.incluster.replica import run as run_replica

    run_replica(_made(made, "" if no_register else service.url(), common, in_cluster=True), pod)


def _made(found: RenderTools, webhook_url: str, common: dict[str, Any], *, in_cluster: bool = False) -> Options:
    """What both commands are told, by the names of `_options`."""
    state_dir, kubeconfig, adopt = common["state_dir"], common["kubeconfig"], common["adopt"]
    return Options(
        state_dir=state_dir,
        config_dir=_configured(common["config_dir"], state_dir, kubeconfig, adopt=adopt, in_cluster=in_cluster),
        adopt=adopt,
        secrets_dir=common["secrets_dir"],
        tools=found,
        kubeconfig=kubeconfig,
        canonicalizer_kubeconfig=common["canonicalizer_kubeconfig"],
        canary_kubeconfig=common["canary_kubeconfig"],
        canary_seconds=common["canary_seconds"],
        healer_kubeconfig=common["healer_kubeconfig"],
        api_audit_log=common["api_audit_log"],
        webhook_url=webhook_url,
        allow_local=common["allow_local_sources"],
        scan_seconds=common["scan_interval"],
        dry_runs=Rate(common["dry_runs_per_second"], common["dry_runs_at_once"]),
        enforce=common["enforce"],
        given=common["given"],
        events=common["events"],
    )


@click.command()
@click.option("--state", "state_dir", type=PATH, required=True, envvar="SETSCREW_STATE", help="State directory.")
@click.option("--listen", default="127.0.0.1:8443", show_default=True, help="Where the API server calls.")
@_serving
@client_certificates
@click.option("--tls-certificate", type=PATH, help="The serving certificate (PEM), in place of the state directory's.")
@click.option("--tls-key", type=PATH, help="Its private key (PEM).")
@click.option("--in-cluster", is_flag=True, help="This is a container of a pod: serve the drift report and hooks, too.")
@click.option("--config", "config_dir", type=EXISTING, help="In a pod: directory of Receiver and Reader documents.")
@click.option("--listen-api", default="127.0.0.1:8080", show_default=True, help="In a pod: drift report and receivers.")
@click.option("--api-token-file", type=PATH, help="In a pod: the token of the report, if this file is there.")
@service_account
@_METRIC_NAMESPACES
def serve(
    state_dir: Path,
    listen: str,
    listen_metrics: str,
    worker: str,
    clients: Clients,
    tls_certificate: Path | None,
    tls_key: Path | None,
    in_cluster: bool,
    config_dir: Path | None,
    listen_api: str,
    api_token_file: Path | None,
    service_account: Path,
    metric_namespaces: bool,
) -> None:
    """The admission server alone, over the snapshots of a state directory. `setscrew run` starts it.

    With --in-cluster it is a container of a pod, and the server of drift report and receivers runs beside it. Keys,
    certificates and snapshots come from `setscrew reconcile --in-cluster`, which shares the state directory.
    """
    place, metrics = _address(listen), _address(listen_metrics) if listen_metrics else None
    if bool(tls_certificate) != bool(tls_key):
        raise UsageError("--tls-certificate and --tls-key go together", hint="give both or none")
    if in_cluster:
        from setscrew.incluster.serving import serve_pod
        from setscrew.run import Listen

        account = service_account if service_account.is_dir() else None
        how = (metrics, worker, clients, metric_namespaces, api_token_file, account)
        places = Listen(place, _address(listen_api), *how)
        finish(serve_pod(state_dir, config_dir, places, tls_certificate, tls_key))
    if not state_dir.is_dir():
        raise UsageError("no such directory", where=str(state_dir), hint="give the one of `setscrew reconcile`")
    settings = AdmissionSettings.in_directory(state_dir, host=place[0], port=place[1], metrics=metrics, worker=worker)
    settings = served(settings, tls_certificate, tls_key, clients)
    os.execve(sys.executable, [sys.executable, "-m", "webhook.server"], {**os.environ, **settings.environment()})  # noqa: S606


def _configured(
    directory: Path | None, state_dir: Path, kubeconfig: str, *, adopt: bool, in_cluster: bool = False
) -> Path:
    """Where the configuration lies: an empty directory of our own where there is none, as --adopt needs none."""
    if adopt and not kubeconfig and not in_cluster:
        raise UsageError("--adopt needs a cluster", hint="give --kubeconfig")
    if directory is None and not adopt and not in_cluster:
        raise UsageError("nothing to guard is named", hint="give --config DIR, or --adopt")
    if directory is not None:
        return directory
    own = statedir.prepare(state_dir) / "config"
    own.mkdir(mode=0o700, exist_ok=True)
    return own


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{text!r} is no address", hint="write HOST:PORT, such as 127.0.0.1:8443")
    return host.strip("[]"), int(port)
