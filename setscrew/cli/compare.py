"""Owns the command `compare`: desired against live, both from files. Must not need a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from reconciler.canonical.engine import canonicalize, located
from reconciler.canonical.form import CanonicalObject
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

    \b
    kubectl get deploy web -n shop -o yaml > live.yaml
    setscrew compare --desired deploy/web.yaml --live live.yaml
    """
    wanted = rendered(desired).objects
    extra = [one for file in context_files for one in rendered(file).objects]
    rules = configuration.load(rules_path).rules
    context = offline_context(rules, [*wanted, *extra], key=_KEY)
    present = rendered(live).objects
    by_ref = {_known(one): canonicalize(_beside(one, present, context), context) for one in wanted}
    results = [(one.ref, _compared(one, by_ref)) for one in present]
    if not results:
        raise UsageError("holds no object", where=str(live))
    report = _report(results)
    _print(report, output)
    finish(0 if report["verdict"] == "same" else 1)


def _known(one: RenderedObject) -> tuple[str, str, str]:
    return one.ref.group, one.ref.kind, one.ref.name


def _beside(one: RenderedObject, present: Iterable[RenderedObject], context: Any) -> RenderedObject:
    """A namespace that Git leaves out is that of the live twin."""
    if one.ref.namespace or not located(one, context)[1].namespaced:
        return one
    twin = next((other for other in present if _known(other) == _known(one)), None)
    return one.with_namespace(twin.ref.namespace) if twin else one


def _compared(live: RenderedObject, desired: dict[tuple[str, str, str], CanonicalObject]) -> Comparison:
    form = desired.get(_known(live))
    if form is None or form.ref.namespace not in ("", live.ref.namespace):
        raise UsageError(f"{live.ref} has no desired twin", where=live.provenance.place, hint="add it to --desired")
    return compare_objects(form, live_form(live.tree, _KEY))


def _report(results: list[tuple[ObjectRef, Comparison]]) -> dict[str, Any]:
    several = len(results) > 1
    changes = [_change(change, str(ref) if several else "") for ref, found in results for change in found.changes]
    notes = [note for _, found in results for note in found.notes]
    unsure = [field for _, found in results for field in found.undecided]
    notes += [
        f"{field}: not declared; a default, or an addition that only the API server could tell" for field in unsure
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
            click.echo(
                f"  {change.get('object', '')} {change['field']}: {change['class']}, want {want}, live {now}".rstrip()
            )
        note(report["notes"])
