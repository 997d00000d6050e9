"""Owns the command `adopt`: a live change as a patch for Git, or on a branch. Must not write to a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reconciler.cluster.api import ApiClient
from reconciler.cluster.discovery import Discovery
from reconciler.cluster.live import get_live
from reconciler.errors import UsageError
from reconciler.model.ref import KindInfo, ObjectRef
from reconciler.snapshot.model import Entry, SourceState
from reconciler.source.clone import author_of, commit_on_branch
from reconciler.store.schema_data import load_builtin
from setscrew.cli.common import EXISTING, context_option, current_snapshot, note, state_option, tools
from setscrew.cli.drift_named import parse_target
from setscrew.cli.guarded import find_all
from setscrew.cli.kinds import kind_of
from setscrew.into_git.adopting import Adoption, IntoGit
from setscrew.into_git.definition import definition, spec_of
from setscrew.into_git.patch import touches, unified
from setscrew.into_git.proof import Proof
from setscrew.into_git.tree import repository_of, source_tree
from setscrew.into_git.written import NotAdoptableError
from webhook.server.feed import SnapshotFile


@click.command()
@click.argument("target", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="", help="Namespace of the object.")
@click.option("--repo", "clone", type=EXISTING, help="A clone of the source's repository, in place of the mirror.")
@click.option("--branch", help="Commit it there on a new branch of this name; print the commit, not the patch.")
@click.option("--source", "source_name", help="Which source is to declare an object that none declares.")
@click.option("--config", "config_dir", type=EXISTING, help="Directory that `setscrew run` has its sources from.")
@state_option
@click.option("--kubeconfig", default="", envvar="KUBECONFIG", help="Who reads the live object.")
@context_option
def adopt(
    target: str,
    namespace: str,
    clone: Path | None,
    branch: str | None,
    source_name: str | None,
    config_dir: Path | None,
    state_dir: Path,
    kubeconfig: str,
    kube_context: str,
) -> None:
    r"""Keep a live change: print the patch that makes Git want what is live, for `git apply`.

    Drifted fields are written where the source's files have them, and nothing else in these files changes. An object
    that is missing goes from its file, one that Git does not declare gets a file of its own. The patch is proved: what
    it renders to is compared with what is live, and there is none where the drift would not end. A value that does not
    stand in a file as it is (template, patch, generator) is named with its place. Values of Secrets are never printed.

    \b
    setscrew adopt deployment/web -n shop --state ./state | git -C ~/shop apply
    setscrew adopt deployment/web -n shop --repo ~/shop --branch keep-web
    setscrew adopt configmap/extra -n shop --source shop

    Exit status: 0 with a patch, or with nothing to adopt; more where none can be made. To undo a change in place of
    keeping it: `setscrew drift KIND/NAME -o json | jq '.items[0].patch'` is the RFC 6902 patch from live to Git.
    """
    if branch is not None and clone is None:
        raise UsageError("--branch needs --repo", hint="the clone that gets the branch")
    snapshot, client = current_snapshot(state_dir), ApiClient.load(kubeconfig, kube_context)
    case = _case(snapshot, client, target, namespace, source_name)
    repository = repository_of(case.state, clone, state_dir)
    with _adopter(case, snapshot, repository, config_dir, state_dir, client) as adopter:
        adoption = case.adopted(adopter)
    if not adoption.files:
        note([f"{case.ref} is as Git says: there is nothing to adopt"])
        return
    if branch is None:
        _check_shown(adoption)
    note([f"adopted: {path}" for path in adoption.paths])
    note(adoption.remarks)
    if branch is not None and clone is not None:
        files = {name: change.new for name, change in adoption.files.items()}
        author = author_of(clone, os.environ)
        commit = commit_on_branch(clone, case.state.commit, branch, files, _message(case.ref, adoption), author)
        note([f"branch {branch} on {case.state.commit[:12]}; HEAD and the work tree are as they were"])
        click.echo(commit)
        return
    click.echo(unified(adoption.files), nl=False)


def _check_shown(adoption: Adoption) -> None:
    """Raises NotAdoptableError for a patch that would print what may be secret, though it does not change it."""
    for name, change in adoption.files.items():
        if touches(change, adoption.secret_lines.get(name, ())):
            hint = "--repo DIR --branch NAME commits it without printing"
            raise NotAdoptableError("the patch would show what may be secret beside the change", where=name, hint=hint)


@dataclass(frozen=True, slots=True)
class _Case:
    """What is to be adopted: an object, how it is live (None: it is not there), and who declares it or is to.

    `entry` is None where no source declares it.
    """

    ref: ObjectRef
    state: SourceState
    live: dict[str, Any] | None
    entry: Entry | None

    def adopted(self, adopter: IntoGit) -> Adoption:
        """The change of the source's files. Raises NotAdoptableError."""
        if self.entry is None:
            return adopter.whole(self.ref, self.live or {})
        if self.live is None:
            return adopter.gone(self.entry)
        return adopter.fields(self.entry, self.live, datetime.now(UTC))


def _case(snapshot: SnapshotFile, client: ApiClient, text: str, namespace: str, source: str | None) -> _Case:
    target = parse_target(text)
    entries = find_all(snapshot, target, namespace)
    if len(entries) > 1:
        raise UsageError(f"{target} may be {' or '.join(str(one.ref) for one in entries)}", hint="name group and -n")
    if entries:
        entry = entries[0]
        if source not in (None, entry.source):
            raise UsageError(f"source {entry.source} declares it already", where="--source")
        return _Case(entry.ref, snapshot.sources[entry.source], _live(client, entry.object.kind, entry.ref), entry)
    kind = kind_of(Discovery(client, load_builtin()).kinds().values(), target)
    ref = ObjectRef(kind.group, kind.kind, (namespace or "default") if kind.namespaced else "", target.name)
    live = _live(client, kind, ref)
    if live is None:
        raise UsageError(f"{ref} is neither in Git nor in the cluster", hint="check the name and -n")
    return _Case(ref, _source(snapshot, source), live, None)


def _source(snapshot: SnapshotFile, name: str | None) -> SourceState:
    """The source that is to declare something new: as named, or the only one."""
    if name is None and len(snapshot.sources) == 1:
        return next(iter(snapshot.sources.values()))
    if name is None or name not in snapshot.sources:
        known = ", ".join(sorted(snapshot.sources)) or "none"
        raise UsageError("which source is to declare it?", where="--source", hint=f"there are: {known}")
    return snapshot.sources[name]


def _live(client: ApiClient, kind: KindInfo, ref: ObjectRef) -> dict[str, Any] | None:
    found = get_live(client, kind, ref.namespace, ref.name)
    return None if found is None else {**found, "apiVersion": kind.api_version, "kind": kind.kind}


@contextmanager
def _adopter(
    case: _Case, snapshot: SnapshotFile, repository: Path, config_dir: Path | None, state_dir: Path, client: ApiClient
) -> Iterator[IntoGit]:
    builtin = load_builtin()
    discovery = Discovery(client, builtin)
    source = definition(case.state.name, config_dir, state_dir, client)
    spec = spec_of(case.state, source, discovery)
    with source_tree(case.state, source, spec, tools(), repository) as tree:
        yield IntoGit(snapshot, tree, Proof(snapshot, (discovery, builtin), case.state.namespace or "default"))


def _message(ref: ObjectRef, adoption: Adoption) -> str:
    shown = "\n".join(f"- {path}" for path in adoption.paths)
    return f"Adopt what is live of {ref}\n\n{shown}\n"
