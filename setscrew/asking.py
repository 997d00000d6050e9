"""Owns a change that nobody makes: the request that the API server would send of it, and the server's own answer.

Must not read anything or print: snapshot, live object, grants and time are handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import yaml

from reconciler.errors import UsageError
from reconciler.gpu.users.hit import Hit, hit
from reconciler.gpu.users.model import Census
from reconciler.model.own import SERVICE_ACCOUNT
from reconciler.model.path import Path
from reconciler.model.tree import ABSENT, Tree
from reconciler.policy.grant import Grant
from reconciler.render.embedded_loader import load_embedded
from reconciler.snapshot.model import Entry, SnapshotView
from setscrew.fields import ANOTHER, changed
from webhook.decision.decide import decide
from webhook.decision.look import CURRENT
from webhook.decision.types import Decision, Identity, Operation, Request, Trees


@dataclass(frozen=True, slots=True)
class Question:
    """A change of `entry` by `identity`: `path` set to `to` (ABSENT: taken away), or no path: its deletion.

    `live` is the object as the API server returns it, None where it was not read: then it is as Git wants it.
    """

    entry: Entry
    identity: Identity
    live: Tree = None
    path: Path = ()
    to: Tree = ANOTHER


def asker(user: str, groups: Sequence[str] = ()) -> Identity:
    """The identity of that name as the API server authenticates it; the cluster's own have real credentials."""
    own: tuple[str, ...] = ()
    if user.startswith(SERVICE_ACCOUNT):
        namespace = user.removeprefix(SERVICE_ACCOUNT).partition(":")[0]
        own = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return Identity(user, (*groups, *own, "system:authenticated"), "explain" if user.startswith("system:") else "")


def value(text: str) -> Tree:
    """A value written as YAML; nothing and null are ABSENT. Raises UsageError."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--to {text!r} is no YAML", hint="quote it for the shell, such as --to '\"3\"'") from error
    if found is None:
        return ABSENT
    # JSON knows no dates and no bytes: to the API server these are text.
    return text if isinstance(found, date | bytes) else found


def answered(
    question: Question, snapshot: SnapshotView, grants: Sequence[Grant], now: float, census: Census | None = None
) -> Decision:
    """What the admission server would answer at `now` (Unix seconds), Git being as the snapshot has it."""
    return decide(
        *(_request(question), snapshot, now),
        look=CURRENT,
        grants=grants,
        parse=load_embedded,
        census=lambda: census,
    )


def concerned(question: Question, snapshot: SnapshotView) -> Hit | None:
    """What the change would hit of GPU classes, or else all that the object defines; None where it defines none."""
    request, ref = _request(question), question.entry.object.ref
    now = ABSENT if request.object is None else request.object
    found = hit(snapshot.rules, ref, request.old, now, load_embedded)
    return found or hit(snapshot.rules, ref, request.old, ABSENT, load_embedded)


def _request(question: Question) -> Request:
    obj = question.entry.object
    old = _without_managers(question.live) if isinstance(question.live, dict) else obj.want
    operation: Operation = "UPDATE" if question.path else "DELETE"
    return Request(
        uid="explain",
        group=obj.kind.group,
        version=obj.kind.version,
        resource=obj.kind.resource,
        kind=obj.kind.kind,
        operation=operation,
        identity=question.identity,
        namespace=obj.ref.namespace,
        name=obj.ref.name,
        objects=Trees(changed(old, question.path, question.to) if question.path else None, old),
    )


def _without_managers(live: dict[str, Tree]) -> Tree:
    """As the server decodes a review: who wrote what is never judged."""
    metadata = {key: one for key, one in live["metadata"].items() if key != "managedFields"}
    return {**live, "metadata": metadata}
