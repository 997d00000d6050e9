"""Owns the command `explain`: who declares an object or field, who wrote it last, what a change would be answered.

Must not change anything: the answer comes from the decision itself, asked about a change that nobody makes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from reconciler.canonical.volatile import live_form
from reconciler.cluster.api import ApiClient
from reconciler.cluster.live import get_live
from reconciler.compare.blame import blame
from reconciler.compare.mask import text
from reconciler.errors import SetscrewError, UsageError
from reconciler.gpu.users import published
from reconciler.gpu.users.model import Census
from reconciler.model.path import pointer, readable
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy import grant_file
from reconciler.policy.grant import Grant
from reconciler.policy.granting import as_document
from reconciler.snapshot.model import Entry
from setscrew.asking import Question, answered, asker, concerned, value
from setscrew.cli.common import context_option, current_snapshot, note, output_option, print_json, state_option
from setscrew.cli.explain_text import print_explained
from setscrew.cli.guarded import DERIVED_TEXT, find
from setscrew.fields import ANOTHER, parse, value_at
from webhook.decision.types import Decision
from webhook.server.census import CensusFeed
from webhook.server.feed import SnapshotFile
from webhook.server.grants import GrantFeed

_DERIVE: Final = {
    *("Deployment.apps", "ReplicaSet.apps", "StatefulSet.apps", "DaemonSet.apps"),
    *("Job.batch", "CronJob.batch", "ReplicationController"),
}


@click.command()
@click.argument("target", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="", help="Namespace of the object.")
@click.option(
    "--field", "field_text", help="One field: spec.replicas, spec…containers[name=app].image, or a JSON pointer."
)
@click.option(
    "--to", "value_text", metavar="VALUE", help="What the field would be changed to, as YAML; null removes it."
)
@click.option("--delete", is_flag=True, help="Ask about deleting the object.")
@click.option("--as", "user", default="you", help="Whose change to ask about (a user name).")
@click.option("--group", "groups", multiple=True, help="A group of that user; may be repeated.")
@state_option
@click.option("--kubeconfig", default="", envvar="KUBECONFIG", help="Who reads the live object (left out: not read).")
@context_option
@output_option("text", "json", default="text")
def explain(target: str, namespace: str, state_dir: Path, kubeconfig: str, output: str, **asked: Any) -> None:
    r"""Explain KIND/NAME: source, commit, file, rule, last writers, and what a change would be answered.

    The answer to a change is that of the admission server, word for word. Without a change it is asked about deleting
    the object; a field without a value is asked about with some other value.

    \b
    setscrew explain deployment/web -n shop --state ./state
    setscrew explain deployment/web -n shop --field 'spec.template.spec.containers[name=web].image'
    setscrew explain deployment/web -n shop --field spec.replicas --to 5 --as dana --group on-call
    """
    _check(asked)
    snapshot = current_snapshot(state_dir)
    entry = find(snapshot, target, namespace)
    census = CensusFeed(state_dir / published.FILE, time.time).current()
    answer = _explained(
        entry, snapshot, _live(entry, kubeconfig, asked["kube_context"]), _grants(state_dir), census, asked
    )
    if output == "json":
        print_json(answer)
    else:
        print_explained(answer)


def _check(asked: dict[str, Any]) -> None:
    if asked["delete"] and asked["field_text"]:
        raise UsageError("--delete and --field are two questions", hint="ask one after the other")
    if asked["value_text"] is not None and not asked["field_text"]:
        raise UsageError("--to needs --field", hint="such as --field spec.replicas --to 5")


def _live(entry: Entry, kubeconfig: str, context: str) -> Tree:
    if not (kubeconfig or context):
        return None
    ref = entry.object.ref
    try:
        live = get_live(ApiClient.load(kubeconfig, context), entry.object.kind, ref.namespace, ref.name)
    except SetscrewError as error:
        note([f"the live object could not be read: {error}"])
        return None
    if live is None:
        note(["the object is not in the cluster; asked as if it stood there as Git says"])
    return live


def _grants(state_dir: Path) -> Sequence[Grant]:
    feed = GrantFeed(state_dir / grant_file.NAME)
    feed.poll()
    note([f"the grants could not be read: {feed.problem}"] if feed.problem else ())
    return feed.current()


def _explained(
    entry: Entry,
    snapshot: SnapshotFile,
    live: Tree,
    grants: Sequence[Grant],
    census: Census | None,
    asked: dict[str, Any],
) -> dict[str, Any]:
    obj, place, now = entry.object, entry.object.provenance, time.time()
    source = snapshot.sources.get(place.source)
    covering = [grant for grant in grants if grant.holds(now) and grant.scope.takes_in(obj.ref)]
    answer: dict[str, Any] = {
        "object": str(obj.ref),
        "source": place.source,
        "url": source.url if source else "",
        "commit": source.commit if source else "",
        "subject": source.subject if source else "",
        "signer": source.signer if source else "",
        "file": place.place,
        "mode": "watched" if source and not source.enforced else "enforced",
        "adopted": entry.adopted,
        "policy": entry.policy.name,
        "action": entry.policy.action,
        "confidence": obj.confidence,
        "reason": obj.reason,
        "snapshot": snapshot.digest,
        "masks": [{"path": "/" + "/".join(mask.path), "rule": mask.rule, "reason": mask.reason} for mask in obj.masks],
        "derived": DERIVED_TEXT if str(obj.ref).partition(" ")[0] in _DERIVE else "",
        "grants": [as_document(grant, now) for grant in covering],
        "writers": _writers(live),
    }
    question = _question(entry, live, asked)
    answer |= _used(question, snapshot, census)
    found = _answer(answered(question, snapshot, grants, now, census))
    if question.path:
        answer["field"] = _field(question, snapshot, found)
    else:
        answer["delete"] = found
    return answer


def _question(entry: Entry, live: Tree, asked: dict[str, Any]) -> Question:
    identity = asker(asked["user"], asked["groups"])
    if not asked["field_text"]:
        return Question(entry, identity, live)
    path = parse(asked["field_text"], entry.object.want, entry.object.types)
    to = ANOTHER if asked["value_text"] is None else value(asked["value_text"])
    return Question(entry, identity, live, path, to)


def _field(question: Question, snapshot: SnapshotFile, found: dict[str, Any]) -> dict[str, Any]:
    obj, live, path = question.entry.object, question.live, question.path
    base = live_form(live, snapshot.secret_key) if isinstance(live, dict) else obj.want
    want, now = value_at(obj.want, path), value_at(base, path)
    writer = blame(live["metadata"].get("managedFields"), path, now) if isinstance(live, dict) else None
    return {
        "path": pointer(path, base),
        "field": readable(path),
        "declared": want is not ABSENT,
        "want": text(want, path),
        "live": text(now, path) if isinstance(live, dict) else "not read",
        "lastWriter": getattr(writer, "manager", "") if writer else "",
        "change": found,
    }


def _used(question: Question, snapshot: SnapshotFile, census: Census | None) -> dict[str, Any]:
    """Who uses the GPU class that the change is about; nothing where it is about none."""
    found = concerned(question, snapshot)
    return {} if found is None else {"gpu": found.as_json(census)}


def _answer(decision: Decision) -> dict[str, Any]:
    return {
        "allowed": decision.allowed,
        "code": decision.code,
        "would": decision.would,
        "message": decision.message,
        "warnings": list(decision.warnings),
    }


def _writers(live: Tree) -> list[dict[str, str]]:
    entries = live["metadata"].get("managedFields") or [] if isinstance(live, dict) else []
    return [
        {key: str(entry.get(key, "")) for key in ("manager", "operation", "subresource", "time")} for entry in entries
    ]
