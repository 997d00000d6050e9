"""Owns the command `check-access`: would somebody's write pass, by the API server's own word? Must change nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.registered import read_registered
from reconciler.errors import ClusterError, UsageError
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.model.tree import Tree
from reconciler.render.yaml_loader import load_documents
from reconciler.store.schema_data import load_builtin
from setscrew.access import PATCHES, VERBS, Access, Trial, Verb, tried
from setscrew.cli.common import EXISTING, context_option, note, output_option, print_json
from setscrew.cli.drift_named import parse_target
from setscrew.cli.kinds import kind_of

_OTHERS_STATUS: Final = 3
_SUBRESOURCES: Final = ("", "scale", "status", "resize")
_REFUSERS: Final = {
    "setscrew": "denied",
    "rbac": "not the guard's answer: RBAC refuses it before anybody is asked",
    "other": "not the guard's answer: somebody else refuses it",
}


@click.command("check-access")
@click.argument("verb", type=click.Choice(VERBS))
@click.argument("target", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="", help="Namespace of the object.")
@click.option("--as", "user", default="", help="Whose write; system:serviceaccount:NAMESPACE:NAME for an account.")
@click.option("--as-group", "groups", multiple=True, help="A group of that user; may be repeated.")
@click.option("-p", "--patch", "patch_text", help="What to write, as JSON or YAML.")
@click.option(
    "-f", "--filename", "file", type=EXISTING, help="The same in a file; for create, update and apply: the object."
)
@click.option(
    "--type", "patch", type=click.Choice(tuple(PATCHES)), default="strategic", show_default=True, help="Of -p."
)
@click.option("--subresource", type=click.Choice(_SUBRESOURCES), default="", help="Write through it, such as scale.")
@click.option(
    "--kubeconfig", default="", envvar="KUBECONFIG", help="Who asks; needs the right to impersonate for --as."
)
@context_option
@output_option("text", "json", default="text")
def check_access(
    verb: Verb,
    target: str,
    namespace: str,
    user: str,
    groups: tuple[str, ...],
    patch_text: str | None,
    file: Path | None,
    patch: str,
    subresource: str,
    kubeconfig: str,
    kube_context: str,
    output: str,
) -> None:
    r"""Ask whether a write would pass: VERB KIND/NAME by --as USER, as a server-side dry run. Nothing is changed.

    The API server is asked itself, so the answer is that of a real write, with RBAC and all admission. The guard keeps
    no record of it. An impersonated service account has no token of its own: what only real tokens may do is refused.

    \b
    setscrew check-access patch deploy/web -n shop --as dana --as-group on-call -p 'spec: {replicas: 5}'
    setscrew check-access delete ns/shop --as dana
    setscrew check-access apply cm/settings -n shop -f settings.yaml

    Exit status: 0 allowed, 1 denied by Setscrew, 3 refused by RBAC or somebody else, or the cluster does not answer.
    """
    if groups and not user:
        raise UsageError("--as-group needs --as", hint="whose groups are they?")
    reader = ApiClient.load(kubeconfig, kube_context)
    client = ApiClient.load(kubeconfig, kube_context, impersonate=user, groups=groups) if user else reader
    named = parse_target(target)
    kind = kind_of(Discovery(reader, load_builtin()).kinds().values(), named)
    ref = ObjectRef(kind.group, kind.kind, (namespace or "default") if kind.namespaced else "", named.name)
    _warn_unguarded(reader, kind)
    found = tried(client, reader, Trial(verb, kind, ref, _body(patch_text, file), _fitting(patch, kind), subresource))
    if output == "json":
        asked = {"user": user, "groups": list(groups), "verb": verb, "object": str(ref), "subresource": subresource}
        said = {"allowed": found.allowed, "by": found.by, "message": found.message, "warnings": list(found.warnings)}
        print_json(asked | said)
    else:
        _print(found)
    sys.exit(0 if found.allowed else 1 if found.by == "setscrew" else _OTHERS_STATUS)


def _body(text: str | None, file: Path | None) -> Tree:
    """What is to be written; None where nothing was given. Raises UsageError, RenderError."""
    if text is not None and file is not None:
        raise UsageError("-p and -f are two writes", hint="give one")
    where = "-p" if file is None else str(file)
    try:
        given = file.read_bytes() if file is not None else None if text is None else text.encode()
        documents = [] if given is None else [one.tree for one in load_documents(given, where)]
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=where) from None
    if len(documents) > 1:
        raise UsageError("holds more than one document", where=where, hint="ask about one after the other")
    return documents[0] if documents else None


def _fitting(patch: str, kind: KindInfo) -> str:
    """Custom resources take no strategic patch; what kubectl does then, too, is a merge."""
    return "merge" if patch == "strategic" and "." in kind.group and not kind.group.endswith(".k8s.io") else patch


def _warn_unguarded(reader: ApiClient, kind: KindInfo) -> None:
    """Say so where the guard is not asked: then a yes says nothing of it."""
    try:
        registered = read_registered(reader)
    except ClusterError:
        note(["whether the guard is asked is not known: the registration cannot be read"])
        return
    if registered.off or not registered.asked_about(kind):
        why = "it is switched off" if registered.off else f"it is registered for no {kind.name}"
        note([f"the guard is not asked about this: {why}"])


def _print(found: Access) -> None:
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo("allowed" if found.allowed else _REFUSERS[found.by])
    if found.message:
        click.echo(found.message)
