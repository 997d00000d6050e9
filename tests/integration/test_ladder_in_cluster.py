"""Plays docs/operations/in-cluster.md on an installation of two replicas, made by `setscrew install`.

The commands are read from the page: a page that is wrong fails here. What stands for nodes is `tests.support.pods` and
`tests.support.service_proxy`; all else is real. In the order of this file: each test leaves two ready replicas.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import yaml
from cryptography import x509

from reconciler.cluster.api import ApiClient
from reconciler.errors import ApiError
from reconciler.model.own import (
    ADMISSION_SERVICE,
    ADMISSION_SERVICE_PORT,
    MANIFEST,
    NAMESPACE,
    OWN_GUARD,
    PUBLIC_FILE,
    SIGNING,
    SNAPSHOTS_NAMESPACE,
    TLS_SECRET,
    VALUES_SECRET,
)
from setscrew.controlplane import ControlPlane, Tools
from setscrew.demo import repository
from setscrew.demo.stage import PERSON, document, dump
from setscrew.incluster.service import CLIENT
from tests.support.git_http import GitHttp
from tests.support.pods import REAL, SHOWN, pod_runner
from tests.support.replicas import Installation, commit, patch
from tests.support.runbook import Desk, Page
from tests.support.service_proxy import ServiceProxy, proxying
from tests.support.waiting import eventually
from webhook.tls.authority import issue, read_pair

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1500)]

PAGE: Final = Page("in-cluster.md")
SERVICES: Final = "--service-cluster-ip-range=127.64.0.0/16"
INSTALL: Final = "setscrew install --no-wait --image registry.example.com/setscrew:0.1.0"
SECRETS: Final = f"/api/v1/namespaces/{NAMESPACE}/secrets"
CONFIG_MAPS: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
PUBLISHED: Final = f"/api/v1/namespaces/{SNAPSHOTS_NAMESPACE}"
BINDING: Final = f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/{OWN_GUARD}"
MERGE: Final = "application/merge-patch+json"
# A replica begins, takes keys, certificate and snapshot, and leads: on a machine that is busy, in its own time.
SETTINGS: Final = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "shop"},
    "data": {"mode": "production"},
}
SHOP: Final = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
STRICT: Final = {"priority": 500, "match": [{"namespaces": ["shop"]}], "failurePolicy": "Fail"}


@pytest.fixture(scope="module")
def site(alone: None, tools: Tools) -> Iterator[Installation]:
    with ExitStack() as stack:
        plane = stack.enter_context(ControlPlane.start(tools, api_server_args=[SERVICES]))
        git = repository.create(plane.directory / "git")
        commit(git, {"shop/settings.yaml": yaml.safe_dump(SETTINGS)}, "Desired state")
        server = stack.enter_context(GitHttp(git.remote.parent))
        options = ["--scan-interval", "2", "--helm", str(tools.helm), "--kubectl", str(tools.kubectl)]
        runner = stack.enter_context(pod_runner(plane, plane.directory / "pods", {"reconcile": options}))
        plane.kubectl("apply", "-f", "-", input=dump([SHOP, SETTINGS]))
        person, admin = plane.kubeconfig(PERSON), ApiClient.load(str(plane.admin_kubeconfig))
        plane.kubectl("create", "clusterrolebinding", "test-person", "--clusterrole=cluster-admin", f"--user={PERSON}")
        Desk(plane.admin_kubeconfig, tools.kubectl.parent).play(INSTALL)
        proxy = ServiceProxy(admin, ADMISSION_SERVICE, lambda address: address.replace(SHOWN, REAL))
        found = admin.request("GET", f"/api/v1/namespaces/{NAMESPACE}/services/{ADMISSION_SERVICE}")
        stack.enter_context(proxying(proxy, found["spec"]["clusterIP"], ADMISSION_SERVICE_PORT))
        one = Installation(plane, git, server, runner, proxy, plane.admin_kubeconfig, person, person, admin)
        configure(one)
        one.wait_ready()
        eventually(lambda: guarded(one), "the guard")
        yield one


def configure(site: Installation) -> None:
    """A source, what its host needs, and a policy by which calls that fail are refused."""
    host: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "host", "namespace": NAMESPACE}}
    host |= {"stringData": {"ca.crt": site.git.ca.decode()}}
    spec = {"url": site.git.url(), "secretRef": {"name": "host"}, "allowPrivateHosts": True, "interval": "1h"}
    spec |= {"ref": {"branch": "main"}, "path": "shop", "render": {"kind": "YAML"}}
    objects = dump([host, document("GitSource", "shop", spec), document("DriftPolicy", "strict", STRICT)])
    # Levers fail closed from the first registration on, and it may be there already.
    eventually(lambda: not site.plane.kubectl("apply", "-f", "-", input=objects, check=False).returncode, "levers", 120)


def desk(site: Installation) -> Desk:
    return Desk(site.plane.admin_kubeconfig, site.plane.site.tools.kubectl.parent, {"INSTALLER": "admin"})


def play(site: Installation, *commands: str, **words: str) -> str:
    """All that these commands say; fails with the logs of the replicas where one of them does not work."""
    try:
        return "".join(desk(site).play(command, words) for command in commands)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{site.tails()}") from None


def drifts(site: Installation, *, dry_run: bool = True) -> tuple[int, str]:
    """What a person's drift is answered."""
    change = {"data": {"mode": f"evil-{time.monotonic_ns()}"}}
    return patch(ApiClient.load(str(site.person)), "settings", change, dry_run=dry_run)


def guarded(site: Installation) -> bool:
    status, said = drifts(site)
    return status == 403 and 'Git wants "production"' in said


def well(site: Installation) -> None:
    """Two replicas are ready, and each refuses drift."""
    site.wait_ready()
    try:
        for pod in site.pods:
            site.proxy.choose(pod.address)
            eventually(lambda: guarded(site), f"{pod.name} guards")
    finally:
        site.proxy.choose(None)


def content(site: Installation, path: str) -> dict[str, str]:
    """Data of a Secret or ConfigMap; nothing where it is not there."""
    try:
        return dict(site.admin.request("GET", path).get("data") or {})
    except ApiError:
        return {}


def steers(site: Installation) -> str:
    """What the administrator's change of a lever would be answered; "" where it passes."""
    change = f'{{"spec":{{"interval":"{time.monotonic_ns() % 1000 + 3600}s"}}}}'
    return desk(site).typed(f"kubectl patch gitsource shop --type=merge --dry-run=server -p '{change}'").stderr


def rebuilds(site: Installation, *flags: str) -> str:
    """The same of the Deployment."""
    change = f"kubectl annotate deployment setscrew -n {NAMESPACE} seen={time.monotonic_ns()} --overwrite"
    return desk(site).typed(" ".join([change, "--dry-run=server", *flags])).stderr


def test_it_tells_who_leads_and_whether_all_is_well(site: Installation) -> None:
    pods, lease, levers, doctor = PAGE.commands("Look")
    said = play(site, pods)
    assert {one.name for one in site.pods} <= set(said.split())
    assert "leader" in said
    assert play(site, lease).strip() == site.holder
    assert "shop" in play(site, levers)
    assert "the guard" in play(site, doctor)


def test_a_policy_that_refuses_too_much_is_softened_at_once(site: Installation) -> None:
    (soften,) = PAGE.commands("A policy refuses too much")
    play(site, soften, POLICY="strict")
    eventually(lambda: drifts(site)[0] == 200, "drift to pass")
    play(site, soften.replace("Audit", "Deny"), POLICY="strict")
    well(site)


def test_line_10_a_lost_node_takes_the_leader_along_and_its_pod_is_replaced(site: Installation) -> None:
    lost, other = site.leader, site.follower
    for container in lost.containers:
        container.held = True
        container.kill()
    eventually(lambda: site.holder == other.name, "another leads")
    eventually(lambda: guarded(site), "the other answers")
    replace, status = PAGE.commands("A node is lost")
    play(site, replace, POD=lost.name)
    lost.ending.set()  # nobody waits for what has run there
    play(site, status)
    eventually(lambda: lost not in site.pods, "it is gone")
    well(site)


def test_with_git_away_restarted_replicas_enforce_what_was_published_and_a_grant_lets_one_change_pass(
    site: Installation,
) -> None:
    listed, snapshots = PAGE.commands("Git is away, and the replicas were restarted")[:2]
    (grant,) = PAGE.commands("Git is away, and the replicas were restarted")[2:]
    site.git.stop()
    try:
        play(site, f"kubectl delete pod -n {NAMESPACE} -l app.kubernetes.io/name=setscrew")
        well(site)
        eventually(lambda: "FetchFailed" in play(site, listed), "the source says so")
        eventually(lambda: one_snapshot(play(site, snapshots)), "both show one snapshot")
        play(site, grant)
        eventually(lambda: drifts(site, dry_run=False)[0] == 200, "the change passes")
        play(site, "kubectl delete driftgrant --all")
        site.plane.kubectl("apply", "-f", "-", input=dump([SETTINGS]))
    finally:
        site.git.start()
    well(site)


def one_snapshot(table: str) -> bool:
    """Whether all Pods of it show the same."""
    found = {line.split()[-1] for line in table.splitlines()[1:]}
    return len(found) == 1 and "<none>" not in found


def test_a_lost_signing_key_is_made_anew_by_the_next_leader(site: Installation) -> None:
    section = "The signing key is lost, or known to others"
    before = public_key(site)
    play(site, *PAGE.commands(section))
    well(site)
    after = public_key(site)
    assert after not in ("", before)
    site.admin.request("DELETE", f"{CONFIG_MAPS}/{SIGNING}")
    play(site, *PAGE.commands(section)[1:])
    well(site)
    assert public_key(site) == after


def public_key(site: Installation) -> str:
    """What replicas verify published snapshots with."""
    return content(site, f"{CONFIG_MAPS}/{SIGNING}").get(PUBLIC_FILE, "")


def test_a_lost_key_of_secret_values_is_made_anew_and_all_is_read_from_git(site: Installation) -> None:
    before = content(site, f"{SECRETS}/{VALUES_SECRET}")
    play(site, *PAGE.commands("The key of Secret values is lost"))
    well(site)
    assert content(site, f"{SECRETS}/{VALUES_SECRET}") not in ({}, before)


def expired(site: Installation) -> None:
    """As after a week without a leader: the certificate has ended, in the Secret and where it is served."""
    held = {name: base64.b64decode(one) for name, one in content(site, f"{SECRETS}/{TLS_SECRET}").items()}
    authority = read_pair(held["ca.crt"], held["ca.key"])
    assert authority is not None
    pair = issue(authority, (CLIENT.host,), datetime.now(UTC) - timedelta(days=8))
    files = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem}
    for pod in site.pods:
        reconcile = pod.container("reconcile")
        reconcile.held = True
        reconcile.kill()
        for name, data in files.items():
            (pod.directory / "state" / "tls" / name).write_bytes(data)
        pod.container("serve").kill()
    shared = {name: base64.b64encode(one).decode() for name, one in files.items()}
    site.admin.request("PATCH", f"{SECRETS}/{TLS_SECRET}", {"data": shared}, content_type=MERGE)


def test_a_certificate_that_has_ended_is_made_anew_by_new_pods(site: Installation) -> None:
    expired(site)
    eventually(lambda: "failed calling webhook" in drifts(site)[1], "calls to fail")
    commands = PAGE.commands("The certificate has ended")
    assert "notAfter=" in play(site, commands[0])
    first = served_until(site)
    assert first < datetime.now(UTC)
    assert "setscrew admission CA" in play(site, commands[1])
    authority = content(site, f"{SECRETS}/{TLS_SECRET}")["ca.crt"]
    play(site, *commands[2:4])
    well(site)
    assert served_until(site) > datetime.now(UTC)
    assert content(site, f"{SECRETS}/{TLS_SECRET}")["ca.crt"] == authority
    play(site, *commands[4:])
    well(site)
    assert content(site, f"{SECRETS}/{TLS_SECRET}")["ca.crt"] != authority


def served_until(site: Installation) -> datetime:
    """When the certificate of the Secret ends."""
    pem = base64.b64decode(content(site, f"{SECRETS}/{TLS_SECRET}")["tls.crt"])
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def lock_out(site: Installation) -> None:
    """Whoever wrote the policy of levers has named nobody who exists."""
    writers = '{"spec":{"writers":[{"subjects":[{"user":"nobody-at-all"}],"verify":"None"}]}}'
    play(site, f"kubectl patch driftpolicy {OWN_GUARD} --type=merge -p '{writers}'")
    eventually(lambda: "denied the request" in steers(site), "the administrator to be locked out")


def test_a_locked_out_administrator_gets_back_by_a_group_or_by_the_off_switch(site: Installation) -> None:
    assert steers(site) == ""
    by_group, off, mend, on = PAGE.commands("Locked out of its own objects")[:4]
    lock_out(site)
    play(site, by_group)
    eventually(lambda: steers(site) == "", "the administrator is let in")
    lock_out(site)
    play(site, off)
    eventually(lambda: drifts(site)[0] == 200, "nobody is asked")
    play(site, mend, on)
    eventually(lambda: guarded(site), "the guard again")
    eventually(lambda: steers(site) == "", "the administrator is let in")


def test_who_is_no_installer_of_setscrews_own_objects_any_more_lifts_their_policy_and_puts_it_back(
    site: Installation,
) -> None:
    lift, mend, back = PAGE.commands("Locked out of its own objects")[4:]
    assert rebuilds(site) == ""
    play(site, mend, INSTALLER="nobody-at-all")
    eventually(lambda: "ValidatingAdmissionPolicy 'setscrew-levers'" in rebuilds(site), "to be locked out")
    play(site, lift)
    eventually(lambda: not desk(site).typed(mend).returncode, "nobody is asked any more")
    play(site, back)
    assert site.admin.request("GET", BINDING)
    assert rebuilds(site) == ""
    stranger = f"--as={PERSON}"
    eventually(lambda: "setscrew-levers" in rebuilds(site, stranger), "others to be refused")
    well(site)


def test_a_namespace_that_does_not_end_is_let_go_and_all_is_published_anew(site: Installation) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["example.com/held"]}}
    site.admin.request("POST", f"{PUBLISHED}/configmaps", held)
    play(site, f"kubectl delete namespace {SNAPSHOTS_NAMESPACE} --wait=false")
    look, *rest = PAGE.commands("A namespace is deleted, and does not end")
    eventually(lambda: "example.com/held" in play(site, look), "what holds it")
    assert guarded(site)
    play(site, *rest, KIND="configmap", NAME="held")
    eventually(lambda: content(site, f"{PUBLISHED}/secrets/{MANIFEST}"), "a manifest")
    well(site)


def test_with_no_replica_left_writes_pass_once_the_registration_is_deleted_and_the_guard_comes_back(
    site: Installation,
) -> None:
    delete, look, scale, status = PAGE.commands("No replica answers")
    play(site, f"kubectl scale deployment setscrew -n {NAMESPACE} --replicas=0")
    eventually(lambda: not site.pods, "all replicas are gone")
    eventually(lambda: "failed calling webhook" in drifts(site)[1], "writes to fail")
    play(site, delete)
    eventually(lambda: drifts(site)[0] == 200, "writes to pass")
    assert "deployment.apps/setscrew" in play(site, look)
    play(site, scale, status)
    well(site)
