"""Owns the command `compare`: desired against live, both from files. Must not need a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from reconciler.canonical.autoscale import widen
from reconciler.canonical.engine import Context, InvalidManifestError, canonicalize, located
from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.versions import converted, raised
from reconciler.canonical.volatile import live_form
from reconciler.compare.blame import blame
from reconciler.compare.comparison import Change, Comparison
from reconciler.compare.comparison import compare as compare_objects
from reconciler.compare.equal import Blank, blank
from reconciler.compare.mask import masked, text
from reconciler.errors import UsageError
from reconciler.model.objects import RenderedObject
from reconciler.model.ref import ObjectRef
from reconciler.model.tree import ABSENT, Tree, dig
from reconciler.policy.model import MaskRule, Rules
from reconciler.policy.select import any_kind
from reconciler.render.embedded_loader import load_embedded
from setscrew.cli.common import (
    EXISTING,
    finish,
    note,
    offline_context,
    output_option,
    print_json,
    print_yaml,
    rendered,
    rules_of_today,
)

_HELM_ENGINE = MaskRule(
    id="helm-engine-metadata",
    kinds=("*",),
    paths=(
        "/metadata/labels/app.kubernetes.io~1managed-by",
        "/metadata/annotations/meta.helm.sh~1release-name",
        "/metadata/annotations/meta.helm.sh~1release-namespace",
    ),
    reason="Helm itself writes these labels and annotations",
    when="always",
    value=(("", ("*",)),),
)
_KEY = b"compare: both sides are at hand, so any key will do"


@dataclass(frozen=True, slots=True)
class Compared:
    """One live object, judged."""

    ref: ObjectRef
    form: CanonicalObject
    found: Comparison
    live: Tree

    @property
    def drift(self) -> tuple[Change, ...]:
        """In doubt is not in sync: without a schema, what Git does not declare and is not empty counts too."""
        doubtful = (one for one in self.found.undecided if self._is_untyped and not blank(one.live, Blank.ZERO))
        return (*self.found.changes, *doubtful)

    def notes(self) -> Iterator[str]:
        """What is worth saying beside the drift."""
        yield from self.found.notes
        if self._is_untyped:
            yield f"no schema of {self.ref.kind} at hand: --context takes its CustomResourceDefinition"
        else:
            for one in self.found.undecided:
                yield f"{one.field}: not declared; a default, or an addition that only the API server could tell"

    @property
    def _is_untyped(self) -> bool:
        types = self.form.types
        return types.custom and types.known is not None and types.known.open


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
    help="What made --desired. helm: its engine writes managed-by and meta.helm.sh/* itself.",
)
@click.option("--rules", "rules_path", type=EXISTING, help="More policy documents.")
@output_option("json", "yaml", "table", default="table")
def compare(
    desired: Path, live: Path, context_files: tuple[Path, ...], renderer: str, rules_path: Path | None, output: str
) -> None:
    r"""Compare what Git says with what the cluster holds, without a cluster. Exit status 1: drift.

    Judges each object of --live against the desired one of the same group, kind, namespace and name, in any version; a
    namespace that Git leaves out is that of the live object. Desired objects without a live twin are context, live ones
    without a desired twin are named and left out.

    \b
    kubectl get deploy web -n shop -o yaml > live.yaml
    setscrew compare --desired deploy/web.yaml --live live.yaml
    setscrew compare --desired deploy/queue.yaml --live live.yaml --context crds.yaml -o json
    """
    result = rendered(desired)
    wanted = result.objects
    extra = [one for file in context_files for one in rendered(file).objects]
    rules, expired = rules_of_today(rules_path)
    if renderer == "helm":
        rules = replace(rules, masks=(*rules.masks, _HELM_ENGINE))
    context = offline_context(rules, [*wanted, *extra], key=_KEY, guess=True)
    judge = _Judge(context, wanted, [one for one in (*wanted, *extra) if _scales(one, rules)])
    report = judge.report(rendered(live).objects, live, desired)
    report["notes"] += (*result.notes, *expired)
    _print(report, output)
    finish(0 if report["verdict"] == "same" else 1)


def _scales(one: RenderedObject, rules: Rules) -> bool:
    return any(any_kind(rule.kinds, one.ref.group, one.ref.kind) for rule in rules.scalers)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Desired objects, and those of the desired set that scale others."""

    context: Context
    wanted: Sequence[RenderedObject]
    scalers: Sequence[RenderedObject]

    def report(self, present: Iterable[RenderedObject], live: Path, desired: Path) -> dict[str, Any]:
        """What `-o json` prints. Raises UsageError where there is nothing to compare."""
        declared = {(one.ref.group, one.ref.kind, one.ref.namespace, one.ref.name): one for one in self.wanted}
        results: list[Compared] = []
        notes: list[str] = []
        for one in present:
            twin = _twin(one.ref, declared)
            if twin is None:
                notes.append(f"{one.ref} is not in --desired: it has been compared with nothing")
            else:
                results.append(Compared(one.ref, *self._compared(twin, one), one.tree))
                notes += _versions(twin, one, results[-1].form)
        if not results:
            for one in self.wanted:
                located(one, self.context)  # the live twin may be of the group that took the kind over
            hint = "is it the right file?" if notes else "it needs at least one"
            raise UsageError(
                f"no object of it is in {desired}" if notes else "holds no object", where=str(live), hint=hint
            )
        return _shown(results, notes)

    def _compared(self, desired: RenderedObject, live: RenderedObject) -> tuple[CanonicalObject, Comparison]:
        namespace = live.ref.namespace
        desired = replace(desired, tree=raised(desired.tree, live.tree))
        forms = [canonicalize(_placed(one, namespace), self.context) for one in (desired, *self.scalers)]
        form = widen(forms, self.context.rules.scalers)[0]
        if form.invalid:
            raise InvalidManifestError(form.invalid[0], where=desired.provenance.place, hint="mend it in Git")
        tree = converted(live.tree, form.kind.api_version) or live.tree
        managed = dig(tree, "metadata", "managedFields")
        return form, compare_objects(form, live_form(tree, _KEY), managed, parse=load_embedded)


def _placed(one: RenderedObject, namespace: str) -> RenderedObject:
    """An object that Git leaves without a namespace goes where its live twin is."""
    return one.with_namespace(namespace) if namespace and not one.ref.namespace else one


def _twin(ref: ObjectRef, declared: dict[tuple[str, str, str, str], RenderedObject]) -> RenderedObject | None:
    """The desired object of the same name; one without a namespace stands in for any."""
    for namespace in (ref.namespace, "", *(["default"] if not ref.namespace else [])):
        found = declared.get((ref.group, ref.kind, namespace, ref.name))
        if found is not None:
            return found
    return None


def _versions(desired: RenderedObject, live: RenderedObject, form: CanonicalObject) -> list[str]:
    if desired.api_version == live.api_version:
        return []
    version = form.kind.api_version
    done = "nothing has been converted" if converted(live.tree, version) is None else f"compared as {version}"
    return [f"{live.ref}: declared as {desired.api_version}, live as {live.api_version}; {done}"]


def _shown(results: list[Compared], notes: list[str]) -> dict[str, Any]:
    several = len(results) > 1
    changes = [_change(change, found, several) for found in results for change in found.drift]
    for found in results:
        notes += [f"{found.ref} {line}" if several else line for line in found.notes()]
    return {"verdict": "drift" if changes else "same", "changes": changes, "notes": notes}


def _change(change: Change, found: Compared, several: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"object": str(found.ref)} if several else {}
    shown |= {"path": change.path, "embedded": change.embedded} if change.inside is not None else {"path": change.path}
    shown |= {"op": change.op, "class": change.klass, "field": change.field}
    if change.desired is not ABSENT:
        shown["desired"] = _value(change.desired, change)
    if change.live is not ABSENT:
        shown["live"] = _value(change.live, change)
    writer = blame(dig(found.live, "metadata", "managedFields"), change.place, change.live)
    if writer is not None:
        shown |= {"manager": writer.manager, "operation": writer.operation, "time": writer.time}
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
