"""Owns the commands below `rules`. Must not need a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from setscrew import configuration, imports
from setscrew.cli.common import EXISTING, finish, note


@click.group()
def rules() -> None:
    r"""Named rules: what a comparison does not see, and why.

    \b
    setscrew rules import --from flux helmrelease.yaml > config/imported.yaml
    """


@rules.command("import")
@click.option("--from", "tool", type=click.Choice(["argocd", "flux"]), required=True, help="Whose list it is.")
@click.option("--owner", default="", help="Who answers for the rules (default: the object that they come from).")
@click.argument("file", type=EXISTING)
def import_rules(tool: imports.Tool, owner: str, file: Path) -> None:
    r"""Print another tool's list of ignored differences as MaskRules, to be put into the directory of --config.

    Read are, of Argo CD, ignoreDifferences of Applications, of ApplicationSets and of the ConfigMap argocd-cm; of Flux,
    driftDetection.ignore of HelmReleases and ignore of Kustomizations. What no rule can say is named and left out.
    Exit status 1: nothing could be imported.

    \b
    setscrew rules import --from argocd application.yaml > config/imported.yaml
    """
    found = imports.imported(tool, configuration.read(file), owner=owner)
    note(f"left out: {line}" for line in found.refused)
    if not found.rules:
        note([f"{file}: no rule can be imported"])
        finish(1)
    click.echo(imports.written(found.rules), nl=False)
