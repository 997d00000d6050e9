"""Owns the command `explain`: who declares an object or field, who wrote it last, what a change would be answered.

Must not change anything: the answer comes from the decision itself, asked about a change that nobody makes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from reconciler.canonical.volatile import live_form
from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import get_live
from reconciler.compare.blame import blame
from reconciler.compare.mask import text
from reconciler.errors import SetscrewError, UsageError
from reconciler.model.path import Path as FieldPath
from reconciler.model.path import pointer, readable
from reconciler.model.tree import ABSENT, Tree
from reconciler.snapshot.model import Entry
from setscrew.cli.common import PATH, current_snapshot, note, output_option, print_json
from setscrew.fields import changed, parse, value_at
from webhook.decision.decide import decide
from webhook.decision.look import CURRENT
from webhook.decision.types import Decision, Identity, Request
from webhook.server.feed import SnapshotFile


@click.command()
@click.argument("target", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="", help="Namespace of the object.")
@click.option(
    "--field", "field_text", help="One field: spec.replicas, spec…containers[name=app].image, or a JSON pointer."
)
@click.option("--as", "user", default="you", help="Whose change to ask about (a user name).")
@click.option(
    "--state", "state_dir", type=PATH, required=True, envvar="SETSCREW_STATE", help="State directory of `setscrew run`."
)
@click.option("--kubeconfig", default="", envvar="KUBECONFIG", help="Who reads the live object (left out: not read).")
@output_option("text", "json", default="text")
def explain(
    target: str, namespace: str, field_text: str | None, user: str, state_dir: Path, kubeconfig: str, output: str
) -> None:
    r"""Explain KIND/NAME: source, commit, file, rule, last writers, and what a change would be answered.

    \b
    setscrew explain deployment/web -n shop --state ./state
    setscrew explain deployment/web -n shop --field 'spec.template.spec.containers[name=web].image'
    """
    snapshot = current_snapshot(state_dir)
    entry = _find(snapshot, target, namespace)
    live = _live(entry, kubeconfig)
    answer = _explained(entry, snapshot, live, field_text, user)
    if output == "json":
        print_json(answer)
    else:
        _print(answer)


def _find(snapshot: SnapshotFile, target: str, namespace: str) -> Entry:
    kind, slash, name = target.partition("/")
    if not slash or not name:
        raise UsageError(f"{target!r} is no KIND/NAME", hint="such as deployment/web")
    kind = kind.lower().partition(".")[0]
    found = [
        entry
        for entry in snapshot.entries()
        if kind in (entry.object.ref.kind.lower(), entry.object.kind.resource)
        and entry.object.ref.name == name
        and namespace in ("", entry.object.ref.namespace)
    ]
    if not found:
        where = f" in namespace {namespace}" if namespace else ""
        raise UsageError(
            f"{target}{where} is not guarded: no source declares it",
            hint="ReplicaSets, Pods and all that controllers derive are never guarded; nor is what Git does not name",
        )
    if len(found) > 1:
        raise UsageError(f"{target} is in several namespaces", hint="give one with -n")
    return found[0]


def _live(entry: Entry, kubeconfig: str) -> Tree:
    if not kubeconfig:
        return None
    ref = entry.object.ref
    try:
        return get_live(ApiClient.load(kubeconfig), entry.object.kind, ref.namespace, ref.name)
    except SetscrewError as error:
        note([f"the live object could not be read: {error}"])
        return None


def _explained(entry: Entry, snapshot: SnapshotFile, live: Tree, field_text: str | None, user: str) -> dict[str, Any]:
    obj, place = entry.object, entry.object.provenance
    source = snapshot.sources.get(place.source)
    answer: dict[str, Any] = {
        "object": str(obj.ref),
        "source": place.source,
        "url": source.url if source else "",
        "commit": source.commit if source else "",
        "subject": source.subject if source else "",
        "file": place.place,
        "policy": entry.policy.name,
        "action": entry.policy.action,
        "confidence": obj.confidence,
        "reason": obj.reason,
        "snapshot": snapshot.digest,
        "masks": [{"path": "/" + "/".join(mask.path), "rule": mask.rule, "reason": mask.reason} for mask in obj.masks],
        "writers": _writers(live),
    }
    if field_text:
        answer["field"] = _field(entry, snapshot, live, parse(field_text, obj.want, obj.types), user)
    else:
        decision = decide(_request(entry, user, "DELETE", None, obj.want), snapshot, time.time(), look=CURRENT)
        answer["delete"] = _answered(decision)
    return answer


def _field(entry: Entry, snapshot: SnapshotFile, live: Tree, path: FieldPath, user: str) -> dict[str, Any]:
    obj = entry.object
    base = live_form(live, snapshot.secret_key) if isinstance(live, dict) else obj.want
    want, now = value_at(obj.want, path), value_at(base, path)
    decision = decide(_request(entry, user, "UPDATE", changed(base, path), base), snapshot, time.time(), look=CURRENT)
    writer = blame(live["metadata"].get("managedFields"), path, now) if isinstance(live, dict) else None
    return {
        "path": pointer(path, base),
        "field": readable(path),
        "declared": want is not ABSENT,
        "want": text(want, path),
        "live": text(now, path) if isinstance(live, dict) else "not read",
        "lastWriter": getattr(writer, "manager", "") if writer else "",
        "change": _answered(decision),
    }


def _request(entry: Entry, user: str, operation: Any, new: Tree, old: Tree) -> Request:
    ref, kind = entry.object.ref, entry.object.kind
    identity = Identity(user, ("system:authenticated",))
    return Request(
        "explain",
        kind.group,
        kind.version,
        kind.resource,
        kind.kind,
        operation,
        identity,
        ref.namespace,
        ref.name,
        "",
        new,
        old,
    )


def _answered(decision: Decision) -> dict[str, Any]:
    return {"allowed": decision.allowed, "code": decision.code, "message": decision.message}


def _writers(live: Tree) -> list[dict[str, str]]:
    entries = live["metadata"].get("managedFields") or [] if isinstance(live, dict) else []
    return [
        {key: str(entry.get(key, "")) for key in ("manager", "operation", "subresource", "time")} for entry in entries
    ]


def _print(answer: dict[str, Any]) -> None:
    commit = f"{answer['commit'][:12]} ({answer['subject']})" if answer["commit"] else "a directory"
    click.echo(f"{answer['object']}")
    click.echo(f"  declared in   {answer['file']} at {commit}")
    click.echo(f"  source        {answer['source']} ({answer['url']})")
    click.echo(f"  policy        {answer['policy']}, action {answer['action']}")
    form = "confirmed by the API server" if answer["confidence"] == "server" else "offline"
    click.echo(f"  form          {form}{': ' + answer['reason'] if answer['reason'] else ''}")
    for mask in answer["masks"]:
        click.echo(f"  left to       rule {mask['rule']} for {mask['path']}: {mask['reason']}")
    for writer in answer["writers"][-5:]:
        sub = f" /{writer['subresource']}" if writer["subresource"] else ""
        click.echo(f"  last written  by {writer['manager']}{sub} ({writer['operation']}) at {writer['time']}")
    _print_answer(answer)


def _print_answer(answer: dict[str, Any]) -> None:
    field = answer.get("field")
    if field:
        click.echo(f"  field         {field['field']}: Git wants {field['want']}, live {field['live']}")
        click.echo(f"  last writer   {field['lastWriter'] or 'unknown'}")
    asked, change = ("a change of this field", field["change"]) if field else ("deleting it", answer["delete"])
    click.echo(f"  {asked} would be {'allowed' if change['allowed'] else 'refused'} ({change['code']})")
    for line in change["message"].splitlines():
        click.echo(f"    {line}")
