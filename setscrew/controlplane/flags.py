"""Owns the command line of each component; must not start anything.

Where a flag departs from production, it says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from setscrew.controlplane.binaries import Tools
from setscrew.controlplane.pki import FRONT_PROXY, SERVICE_RANGE, Pki
from setscrew.controlplane.workdir import Workdir

CONTROLLERS = (
    "*",
    "-node-lifecycle-controller",  # no nodes: it would evict what tests bind to invented ones
    "-node-route-controller",  # these three need a cloud
    "-service-lb-controller",
    "-cloud-node-lifecycle-controller",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may add; gates are `Name=true`, runtime configuration is `group/version=true`."""

    feature_gates: Sequence[str] = ()
    runtime_config: Sequence[str] = ()
    audit_policy: Path | None = None
    api_server_args: Sequence[str] = ()
    controller_manager_args: Sequence[str] = ()
    one_controller_identity: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of the three servers."""

    etcd: int
    api_server: int
    controller_manager: int


@dataclass(frozen=True, slots=True)
class Site:
    """All that the command lines are made of."""

    tools: Tools
    workdir: Workdir
    pki: Pki
    ports: Ports
    options: Options


def etcd(site: Site) -> list[str]:
    """Etcd for one API server; it need not survive a power cut."""
    pki, url = site.pki, f"https://127.0.0.1:{site.ports.etcd}"
    files = {"cert-file": pki.certificate("etcd"), "key-file": pki.key("etcd")}
    files["trusted-ca-file"] = pki.certificate("etcd-ca")
    return [
        str(site.tools.etcd),
        f"--data-dir={site.workdir.root / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        "--listen-peer-urls=https://127.0.0.1:0",
        *(f"--{name}={path}" for name, path in files.items()),
        *(f"--peer-{name}={path}" for name, path in files.items()),
        "--client-cert-auth",
        "--peer-client-cert-auth",
        "--socket-reuse-port",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(site: Site) -> list[str]:
    """The API server with authentication, RBAC, admission and aggregation as kubeadm sets them up."""
    return [
        str(site.tools.kube_apiserver),
        "--bind-address=127.0.0.1",
        f"--secure-port={site.ports.api_server}",
        "--permit-port-sharing",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # a loopback address is no valid endpoint
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        "--profiling=false",
        *_store(site),
        *_authentication(site.pki),
        *_aggregation(site.pki),
        *_audit(site),
        *(f"--feature-gates={gate}" for gate in site.options.feature_gates),
        *(f"--runtime-config={entry}" for entry in site.options.runtime_config),
        *site.options.api_server_args,
    ]


def controller_manager(site: Site) -> list[str]:
    """Every controller that works without nodes and a cloud, each under its own service account unless told not to."""
    own_accounts = not site.options.one_controller_identity
    pki, config = site.pki, site.workdir.users / "controller-manager.kubeconfig"
    return [
        str(site.tools.kube_controller_manager),
        "--bind-address=127.0.0.1",
        f"--secure-port={site.ports.controller_manager}",
        "--permit-port-sharing",
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--tls-cert-file={pki.certificate('controller-manager')}",
        f"--tls-private-key-file={pki.key('controller-manager')}",
        f"--client-ca-file={pki.certificate('ca')}",
        f"--requestheader-client-ca-file={pki.certificate('front-proxy-ca')}",
        f"--root-ca-file={pki.certificate('ca')}",
        f"--cluster-signing-cert-file={pki.certificate('ca')}",
        f"--cluster-signing-key-file={pki.key('ca')}",
        f"--service-account-private-key-file={pki.key('service-accounts')}",
        f"--use-service-account-credentials={str(own_accounts).lower()}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",  # one of one
        "--kube-api-qps=200",  # the default of 20 makes the deletion of namespaces wait, which tests do all the time
        "--kube-api-burst=400",
        "--profiling=false",
        *(f"--feature-gates={gate}" for gate in site.options.feature_gates),
        *site.options.controller_manager_args,
    ]


def _store(site: Site) -> list[str]:
    pki = site.pki
    return [
        f"--etcd-servers=https://127.0.0.1:{site.ports.etcd}",
        f"--etcd-cafile={pki.certificate('etcd-ca')}",
        f"--etcd-certfile={pki.certificate('etcd-client')}",
        f"--etcd-keyfile={pki.key('etcd-client')}",
    ]


def _authentication(pki: Pki) -> list[str]:
    return [
        f"--tls-cert-file={pki.certificate('apiserver')}",
        f"--tls-private-key-file={pki.key('apiserver')}",
        f"--client-ca-file={pki.certificate('ca')}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki.certificate('service-accounts')}",
        f"--service-account-signing-key-file={pki.key('service-accounts')}",
    ]


def _aggregation(pki: Pki) -> list[str]:
    return [
        f"--requestheader-client-ca-file={pki.certificate('front-proxy-ca')}",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki.certificate('front-proxy')}",
        f"--proxy-client-key-file={pki.key('front-proxy')}",
    ]


def _audit(site: Site) -> list[str]:
    policy = site.options.audit_policy
    if policy is None:
        return []
    return [f"--audit-policy-file={policy.resolve()}", f"--audit-log-path={site.workdir.log('audit')}"]
