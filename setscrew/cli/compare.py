"""Owns the command `compare`: desired against live, both from files. Must not need a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from reconciler.canonical.engine import Context, canonicalize
from reconciler.canonical.volatile import live_form
from reconciler.compare.comparison import Change, Comparison
from reconciler.compare.comparison import compare as compare_objects
from reconciler.compare.mask import masked, text
from reconciler.errors import UsageError
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree
from setscrew import configuration
from setscrew.cli.common import EXISTING, finish, note, offline_context, output_option, print_json, print_yaml, rendered

_KEY = b"compare: both sides are at hand, so any key will do"
Compared = tuple[ObjectRef, Comparison]


@click.command()
@click.option("--desired", type=EXISTING, required=True, help="What Git says: a file, directory or chart.")
@click.option("--live", type=EXISTING, required=True, help="What the API server holds: kubectl get -o yaml.")
@click.option(
    "--context", "context_files", type=EXISTING, multiple=True, help="More objects of the desired set (CRDs …)."
)
@click.option(
    "--renderer",
    type=click.Choice(["helm", "kustomize", "yaml"]),
    default="yaml",
    expose_value=False,
    help="What made --desired: metadata that its tool adds is free in any case.",
)
@click.option("--rules", "rules_path", type=EXISTING, help="More policy documents.")
@output_option("json", "yaml", "table", default="table")
def compare(desired: Path, live: Path, context_files: tuple[Path, ...], rules_path: Path | None, output: str) -> None:
    r"""Compare what Git says with what the cluster holds, without a cluster. Exit status 1: drift.

    Judges each object of --live against the desired one of the same group, kind, namespace and name, in any version; a
    namespace that Git leaves out is that of the live object. Desired objects without a live twin are context, live ones
    without a desired twin are named and left out.

    \b
    kubectl get deploy web -n shop -o yaml > live.yaml
    setscrew compare --desired deploy/web.yaml --live live.yaml
    setscrew compare --desired deploy/queue.yaml --live live.yaml --context crds.yaml -o json
    """
    wanted = rendered(desired).objects
    extra = [one for file in context_files for one in rendered(file).objects]
    context = offline_context(configuration.load(rules_path).rules, [*wanted, *extra], key=_KEY)
    report = _report(rendered(live).objects, wanted, context, live, desired)
    _print(report, output)
    finish(0 if report["verdict"] == "same" else 1)


def _report(
    present: Iterable[RenderedObject], wanted: Iterable[RenderedObject], context: Context, live: Path, desired: Path
) -> dict[str, Any]:
    declared = {(one.ref.group, one.ref.kind, one.ref.namespace, one.ref.name): one for one in wanted}
    results: list[Compared] = []
    notes: list[str] = []
    for one in present:
        twin = _twin(one.ref, declared)
        if twin is None:
            notes.append(f"{one.ref} is not in --desired: it has been compared with nothing")
        else:
            results.append((one.ref, _compared(twin, one, context)))
            notes += _versions(twin, one)
    if not results:
        hint = "is it the right file?" if notes else "it needs at least one"
        raise UsageError(f"no object of it is in {desired}" if notes else "holds no object", where=str(live), hint=hint)
    return _shown(results, notes)


def _twin(ref: ObjectRef, declared: dict[tuple[str, str, str, str], RenderedObject]) -> RenderedObject | None:
    """The desired object of the same name; one without a namespace stands in for any."""
    for namespace in (ref.namespace, "", *(["default"] if not ref.namespace else [])):
        found = declared.get((ref.group, ref.kind, namespace, ref.name))
        if found is not None:
            return found
    return None


def _compared(desired: RenderedObject, live: RenderedObject, context: Context) -> Comparison:
    placed = desired.with_namespace(live.ref.namespace) if live.ref.namespace else desired
    return compare_objects(canonicalize(placed, context), live_form(live.tree, _KEY))


def _versions(desired: RenderedObject, live: RenderedObject) -> list[str]:
    if desired.api_version == live.api_version:
        return []
    return [f"{live.ref}: declared as {desired.api_version}, live as {live.api_version}; nothing has been converted"]


def _shown(results: list[Compared], notes: list[str]) -> dict[str, Any]:
    several = len(results) > 1
    changes = [_change(change, str(ref) if several else "") for ref, found in results for change in found.changes]
    for ref, found in results:
        prefix = f"{ref} " if several else ""
        notes += [f"{prefix}{line}" for line in found.notes]
        notes += [
            f"{prefix}{field}: not declared; a default, or an addition that only the API server could tell"
            for field in found.undecided
        ]
    return {"verdict": "drift" if changes else "same", "changes": changes, "notes": notes}


def _change(change: Change, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"object": name} if name else {}
    shown |= {"path": change.path, "op": change.op, "class": change.klass, "field": change.field}
    if change.desired is not ABSENT:
        shown["desired"] = _value(change.desired, change)
    if change.live is not ABSENT:
        shown["live"] = _value(change.live, change)
    return shown


def _value(value: Tree, change: Change) -> Tree:
    return masked(value, change.place)


def _print(report: dict[str, Any], output: str) -> None:
    if output == "json":
        print_json(report)
    elif output == "yaml":
        print_yaml([report])
    else:
        click.echo(report["verdict"])
        for change in report["changes"]:
            want, now = text(change.get("desired", ABSENT)), text(change.get("live", ABSENT))
            name = f"{change['object']} " if "object" in change else ""
            click.echo(f"  {name}{change['field']}: {change['class']}, want {want}, live {now}")
        note(report["notes"])
