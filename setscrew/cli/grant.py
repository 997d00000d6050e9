"""Owns the commands below `grant`: break-glass. Must not decide what may be granted, nor need Git.

With a state directory a grant is made on this machine, else as an object of a cluster, under the caller's identity.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.errors import UsageError
from reconciler.limits import GRANT_TEXT_CHARS
from reconciler.model.instant import stamp_of
from reconciler.model.own import API_VERSION
from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant
from reconciler.policy.granting import KIND, NOT_ALLOWED, as_document, state, username
from reconciler.report.printable import one_line
from reconciler.store.grants import read_grants
from setscrew import configuration, grants
from setscrew.cli.common import PATH, context_option, note, output_option, print_json, print_yaml
from setscrew.cli.table import print_rows
from setscrew.store import existing_store
from webhook.server.feed import Feed, SnapshotFile

F = TypeVar("F", bound=Callable[..., Any])
_COMMAND_LINE = "command line"
_PATTERN = re.compile(r"[*?\[]")


def where_options(command: F) -> F:
    """`--state`, or `--kubeconfig` and `--context`: on which machine, or in which cluster."""
    state_dir = click.option(
        "--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory of `setscrew run`."
    )
    kubeconfig = click.option(
        "--kubeconfig", default="", help="In place of --state: the cluster that holds grants as objects, and as whom."
    )
    return state_dir(kubeconfig(context_option(command)))


@click.group()
def grant() -> None:
    r"""Break-glass: let somebody change what Git manages, for a time, with a reason.

    With --state (or $SETSCREW_STATE) on the machine of `setscrew run`; else in a cluster, as a DriftGrant object, under
    your own identity: members of the group setscrew:grantors may make and end grants for others.

    \b
    setscrew grant create --user dana --ref 'Deployment.apps shop/web' --path /spec/replicas --for 1h \\
        --reason 'the queue is on fire' --approver lena
    setscrew grant list
    setscrew grant revoke dana-1122-0855-4f1c
    """


@grant.command()
@click.option("-f", "--file", "file", type=PATH, help="DriftGrant documents in place of the options below; - is stdin.")
@click.option("--user", "users", multiple=True, help="For this user; may be repeated, as all that follow.")
@click.option("--group", "groups", multiple=True, help="For the members of this group.")
@click.option("--service-account", "accounts", metavar="NS/NAME", multiple=True, help="For this service account.")
@click.option("--ref", "refs", multiple=True, help="Only this object, as denials name it: 'Deployment.apps shop/web'.")
@click.option("--kind", "kinds", multiple=True, help="Only this kind: apps/Deployment, or ConfigMap.")
@click.option("--namespace", "-n", "namespaces", multiple=True, help="Only objects in this namespace.")
@click.option("--path", "paths", multiple=True, help="Only this path, and what is below it. Then no DELETE.")
@click.option("--for", "duration", help="How long: 30m, 1h30m; at most 8h.")
@click.option("--until", help="In place of --for: 2027-01-31T22:30:00Z.")
@click.option("--reason", default="", help="Why.")
@click.option("--approver", default="", help="Who says yes: somebody whom the grant does not name.")
@where_options
@output_option("name", "json", "yaml", default="name")
def create(
    file: Path | None, state_dir: Path | None, kubeconfig: str, kube_context: str, output: str, **options: Any
) -> None:
    r"""Grant: what is named may leave Git until the grant ends, and who writes is warned and recorded.

    In force within a second, also while Git or the reconciler is down. Prints the id. A denial ends with the command
    that would permit it, to be completed by somebody else.

    \b
    setscrew grant create --user dana --ref 'Deployment.apps shop/web' --for 1h --reason '…' --approver lena
    setscrew grant create -f grant.yaml
    """
    if file is not None and any(options.values()):
        raise UsageError("--file says all of it", where="--file", hint="leave the other options out")
    documents: list[grants.Document] = _documents(file) if file is not None else [(_COMMAND_LINE, _document(options))]
    now = time.time()
    if state_dir is None or kubeconfig or kube_context:
        made = _create_object(kubeconfig, kube_context, documents, now)
    else:
        made = _create_here(state_dir, documents, now)
    if output == "name":
        click.echo("\n".join(one.id for one in made))
    else:
        trees = [as_document(one, now) for one in made]
        print_yaml(trees) if output == "yaml" else print_json(trees[0] if len(trees) == 1 else _list(trees))


def _create_here(state_dir: Path, documents: list[grants.Document], now: float) -> list[Grant]:
    snapshot = Feed.of(state_dir).current()
    rules = (snapshot.rules if snapshot is not None else configuration.load(None).rules).grants
    with existing_store(state_dir) as store:
        made = grants.create(store, state_dir, documents, rules, now, _me())
    for one in made:
        _note_made(one)
        note(f"no source declares {ref}" for ref in _unknown(one, snapshot))
    return made


def _create_object(kubeconfig: str, kube_context: str, documents: list[grants.Document], now: float) -> list[Grant]:
    from reconciler.cluster.api import ApiClient
    from setscrew import cluster_grants

    client = ApiClient.load(kubeconfig, kube_context)
    made = cluster_grants.create(client, documents, now)
    for one in made:
        _note_made(one)
        said = cluster_grants.answered(client, one.id)
        if said.startswith("Refused"):
            raise UsageError(f"grant {one.id!r} is not in force: {said}", code=NOT_ALLOWED)
        if not said:
            note([f"Setscrew has not said yet that it is in force: kubectl describe driftgrant {one.id}"])
    return made


def _note_made(one: Grant) -> None:
    note([f"grant {one.id} for {_subjects(one)} until {stamp_of(one.not_after)}; what stays then is drift"])


@grant.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended or are revoked.")
@where_options
@output_option("table", "json", "yaml", default="table")
def list_grants(everything: bool, state_dir: Path | None, kubeconfig: str, kube_context: str, output: str) -> None:
    """List the grants that are in force, newest first."""
    now = time.time()
    found = (
        _objects(kubeconfig, kube_context, now) if state_dir is None or kubeconfig or kube_context else _here(state_dir)
    )
    shown = [one for one in found if everything or not (one.revoked or one.not_after <= now)]
    trees = [as_document(one, now) for one in shown]
    if output == "json":
        print_json(_list(trees))
    elif output == "yaml":
        print_yaml(trees)
    else:
        _print_table(shown, now)


def _here(state_dir: Path) -> list[Grant]:
    with existing_store(state_dir) as store:
        return read_grants(store)


def _objects(kubeconfig: str, kube_context: str, now: float) -> list[Grant]:
    from reconciler.cluster.api import ApiClient
    from setscrew import cluster_grants

    found = cluster_grants.read(ApiClient.load(kubeconfig, kube_context), now)
    note(f"DriftGrant {name} grants nothing: {fault.message}" for name, fault in sorted(found.faults.items()))
    return sorted(found.grants.values(), key=lambda one: (-one.created, one.id))


@grant.command()
@click.argument("identity", metavar="ID")
@click.option("--reason", default="", help="Why.")
@where_options
def revoke(identity: str, reason: str, state_dir: Path | None, kubeconfig: str, kube_context: str) -> None:
    """End the grant ID now. What was written under it stays, as drift."""
    if not reason.isprintable() or len(reason) > GRANT_TEXT_CHARS:
        raise UsageError(f"expected one printable line of at most {GRANT_TEXT_CHARS} characters", where="--reason")
    now = time.time()
    if state_dir is None or kubeconfig or kube_context:
        _revoke_object(kubeconfig, kube_context, identity, reason)
        return
    with existing_store(state_dir) as store:
        ended = grants.revoke(store, state_dir, identity, now, by=_me(), reason=reason)
    if ended.revoked:
        note([f"grant {ended.id} is revoked since {stamp_of(ended.revoked)}"])
    else:
        note([f"grant {ended.id} has ended at {stamp_of(ended.not_after)} by itself"])


def _revoke_object(kubeconfig: str, kube_context: str, identity: str, reason: str) -> None:
    from reconciler.cluster.api import ApiClient
    from setscrew import cluster_grants

    cluster_grants.revoke(ApiClient.load(kubeconfig, kube_context), identity, reason)
    note([f"grant {identity} is revoked"])


def _documents(file: Path) -> list[grants.Document]:
    found = list(configuration.documents(Path("/dev/stdin") if str(file) == "-" else file))
    wrong = [(where, tree.get("kind")) for where, tree in found if tree.get("kind") != KIND]
    if wrong or not found:
        where, kind = wrong[0] if wrong else (str(file), "nothing")
        raise UsageError(f"expected {KIND} documents, found {kind}", where=where)
    return found


def _document(options: dict[str, Any]) -> dict[str, Any]:
    """The options as a DriftGrant: there is one way to read a grant."""
    subjects = [{"user": name} for name in options["users"]]
    subjects += [{"group": name} for name in options["groups"]]
    subjects += [{"serviceAccount": name} for name in options["accounts"]]
    spec: dict[str, Any] = {
        "subjects": subjects,
        "scope": {key: list(options[key]) for key in ("refs", "kinds", "namespaces", "paths") if options[key]},
        "reason": options["reason"],
        "approver": options["approver"],
    }
    spec |= {"duration": options["duration"]} if options["duration"] else {}
    spec |= {"notAfter": options["until"]} if options["until"] else {}
    first = next((word for one in subjects for word in one.values()), "nobody")
    return {"kind": KIND, "metadata": {"name": _name(first)}, "spec": spec}


def _name(subject: str) -> str:
    """`dana-1122-0855-4f1c`: who, when, and four digits so that it is the only one."""
    who = re.sub(r"[^a-z0-9]+", "-", subject.rpartition(":")[2].lower())[:40].strip("-") or "grant"
    return f"{who}-{datetime.now(UTC):%m%d-%H%M}-{secrets.token_hex(2)}"


def _unknown(one: Grant, snapshot: SnapshotFile | None) -> Iterator[str]:
    """Refs that no source declares: a slip at 3 a.m. permits nothing, and nobody would know why."""
    for ref in one.scope.refs if snapshot is not None else ():
        kind, _, place = ref.partition(" ")
        name, _, group = kind.partition(".")
        namespace, _, own = place.rpartition("/")
        known = _PATTERN.search(ref) or (snapshot and snapshot.by_ref(ObjectRef(group, name, namespace, own)))
        if not known:
            yield ref


def _me() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _list(trees: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": f"{KIND}List", "items": trees}


def _print_table(shown: list[Grant], now: float) -> None:
    if not shown:
        note(["no grant is in force"])
        return
    print_rows(("ID", "STATE", "UNTIL", "WHO", "WHAT", "REASON", "APPROVER"), (_row(one, now) for one in shown))


def _row(one: Grant, now: float) -> tuple[str | list[str], ...]:
    words = [word for name in ("refs", "kinds", "namespaces", "paths") for word in getattr(one.scope, name)]
    return one.id, state(one, now), stamp_of(one.not_after), _subjects(one), words, one.reason, one.approver


def _subjects(one: Grant) -> str:
    return one_line(", ".join(map(username, one.subjects)))
