"""Owns the commands `render` and `canonical`: what Git says, and what it means. Must not need a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from reconciler.canonical.engine import canonicalize, without_nulls
from reconciler.canonical.filled import field_set
from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.volatile import LAST_APPLIED
from reconciler.compare.mask import MASK, masked
from reconciler.model.objects import RenderedObject
from reconciler.model.tree import Tree, dig
from setscrew.cli.common import (
    EXISTING,
    note,
    offline_context,
    output_option,
    print_json,
    print_yaml,
    render_options,
    rendered,
    rules_of_today,
)

_HIDDEN = ("data", "stringData")


@click.command()
@click.argument("path", type=EXISTING)
@render_options
@output_option("yaml", "json", "table", default="yaml")
def render(path: Path, namespace: str, value_files: tuple[Path, ...], release: str, output: str) -> None:
    r"""Print the objects that PATH declares, each with the file it comes from.

    PATH is a Helm chart, a kustomization, a directory of YAML or one file: it is recognized, and rendered by the real
    helm and kustomize in a child process without network, plugins or cluster. Values of Secrets are shown as ***.

    \b
    setscrew render deploy/prod
    setscrew render charts/web --namespace shop --values prod.yaml -o json
    """
    result = rendered(path, namespace, value_files, release)
    note(result.notes)
    if output == "json":
        print_json([_with_provenance(one) for one in result.objects])
    elif output == "yaml":
        print_yaml(_shown(one.tree) for one in result.objects)
    else:
        for one in result.objects:
            click.echo(f"{one.ref!s:<70} {one.provenance.place}")


@click.command()
@click.argument("files", type=EXISTING, nargs=-1, required=True)
@render_options
@click.option("--context", "context_files", type=EXISTING, multiple=True, help="More objects, such as CRDs.")
@click.option("--rules", "rules_path", type=EXISTING, help="More policy documents.")
@output_option("json", "yaml", default="json")
def canonical(
    files: tuple[Path, ...],
    namespace: str,
    value_files: tuple[Path, ...],
    release: str,
    context_files: tuple[Path, ...],
    rules_path: Path | None,
    output: str,
) -> None:
    r"""Print the canonical form of each object in FILES, and the set of fields that Git declares.

    Without a cluster this is the offline form: what an API server makes of the object, as far as its schema and the
    table of defaults tell: defaults filled in, empty values that no server stores left out.

    \b
    setscrew canonical deploy/web.yaml
    setscrew canonical deploy/queue.yaml --context crds.yaml
    """
    results = [rendered(file, namespace, value_files, release) for file in files]
    objects = [one for result in results for one in result.objects]
    extra = [one for file in context_files for one in rendered(file).objects]
    rules, expired = rules_of_today(rules_path)
    context = offline_context(rules, [*objects, *extra], namespace=namespace, guess=True)
    forms = [canonicalize(one, context) for one in objects]
    note((*expired, *dict.fromkeys(_without_schema(forms))))
    if output == "json":
        print_json([_form(one) for one in forms])
    else:
        print_yaml(map(_form, forms))


def _without_schema(forms: Iterable[CanonicalObject]) -> Iterator[str]:
    for form in forms:
        known = form.types.known
        if form.types.custom and known is not None and known.open:
            kind = f"{form.kind.kind} in {form.kind.api_version}"
            yield f"no schema of {kind} at hand, so it stays as written; --context takes its CustomResourceDefinition"


def _form(form: CanonicalObject) -> dict[str, Any]:
    return {
        "object": str(form.ref),
        "confidence": form.confidence,
        "canonical": masked(without_nulls(form.want)),
        "declared": field_set(form.want, form.filled, form.types),
        "notes": [*form.invalid, *form.notes],
        "masks": [{"path": "/" + "/".join(mask.path), "rule": mask.rule, "reason": mask.reason} for mask in form.masks],
        "provenance": {"file": form.provenance.file, "line": form.provenance.line},
    }


def _with_provenance(one: RenderedObject) -> dict[str, Any]:
    place = one.provenance
    provenance = {"file": place.file, "line": place.line, "document": place.document, "generator": place.generator}
    return {"object": _shown(one.tree), "provenance": provenance}


def _shown(tree: Tree) -> Tree:
    """The object for people: values of Secrets as `***`, also in what kubectl once wrote about them."""
    if tree.get("kind") != "Secret":
        return masked(tree)
    hidden: dict[str, Tree] = {
        key: dict.fromkeys(value, MASK) for key, value in tree.items() if key in _HIDDEN and value
    }
    annotations = dig(tree, "metadata", "annotations")
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        hidden["metadata"] = {**tree["metadata"], "annotations": {**annotations, LAST_APPLIED: MASK}}
    return {**tree, **hidden}
