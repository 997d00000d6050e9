"""Owns the command `gpu`: options in, the table of GPU classes out. Must not find classes or count users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from reconciler.errors import SetscrewError, UsageError
from reconciler.model.instant import stamp
from reconciler.policy.model import Rules
from reconciler.render.spec import RenderSpec
from setscrew.cli.common import EXISTING, PATH, note, output_option, render_options, rendered, rules_of_today, tools
from setscrew.gpu.model import Found, Row
from setscrew.gpu.table import FAMILIES, table

_FOR_PATHS: Final = {
    "context_files": "--context",
    "namespace": "--namespace",
    "value_files": "--values",
    "release": "--release",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def gpu() -> None:
    r"""GPU classes: what there is of each, what defines it, who uses it.

    \b
    setscrew gpu show deploy/prod
    setscrew gpu show --kubeconfig reader.kubeconfig --state ./state
    """


@gpu.command()
@click.argument("path", type=EXISTING, required=False)
@click.option("--kubeconfig", default="", envvar="KUBECONFIG", help="Who reads the cluster, where no PATH is given.")
@click.option(
    "--context", "context_files", type=EXISTING, multiple=True, help="More objects of the world: CRDs, nodes."
)
@render_options
@click.option("--family", "families", multiple=True, help="Only classes of this family, such as MigLayout.")
@click.option("--server", metavar="URL", help="API server of the running instance; default: that of --state.")
@click.option("--token-file", type=PATH, help="File with its token.")
@click.option(
    "--state",
    "state_dir",
    type=PATH,
    envvar=["SETSCREW_STATE", "SETSCREW_STATE_DIR"],
    help="State directory of `setscrew run`: tells since when classes are guarded.",
)
@output_option("table", "json", "yaml", default="table")
def show(path: Path | None, kubeconfig: str, families: tuple[str, ...], output: str, **asked: Any) -> None:
    r"""Show the GPU classes of PATH, a file or repository; without PATH those of the cluster. Nothing is changed.

    Each class with what defines it, what there is of it, who uses it, and since when a running instance guards it.
    PATH is rendered as `setscrew check` does it, and users are those in the same files. What could not be read is named
    on stderr and in the output.

    \b
    setscrew gpu show deploy/prod
    setscrew gpu show --kubeconfig reader.kubeconfig --state ./state
    setscrew gpu show --family MigLayout --family SharingConfig
    setscrew gpu show -o json | jq '.classes[] | select(.users.running > 0) | .name'
    """
    from setscrew.cli.gpu_text import print_classes

    wanted = _families(families, whole=path is not None)
    _check(path)
    rules, expired = rules_of_today(None)
    note(expired)
    found = _of_cluster(kubeconfig) if path is None else _of_path(path, rules, asked)
    rows = table(found, rules)
    shown = [row for row in rows if row.name.family in wanted]
    print_classes(_with_guard(shown, asked["server"], asked["token_file"], asked["state_dir"]), found, output)
    if not shown and output == "table":
        note([f"no GPU class {'of this family ' * bool(families)}was found in {path or 'the cluster'}"])
    if not families and (nodes := len(rows) - len(shown)):
        note([f"nodes with labels that select a class are left out ({nodes}): --family Node shows them"])
    note(f"could not be read: {what}: {why}" for what, why in found.unread.items())


def _families(asked: Sequence[str], *, whole: bool) -> frozenset[str]:
    """Those that are shown. A cluster has more Nodes than anybody reads."""
    known = {family.lower(): family for family in FAMILIES}
    for one in asked:
        if one.lower() not in known:
            raise UsageError(f"no family {one!r}", where="--family", hint=f"known: {', '.join(FAMILIES)}")
    if asked:
        return frozenset(known[one.lower()] for one in asked)
    return frozenset(FAMILIES) - (frozenset() if whole else frozenset({"Node"}))


def _check(path: Path | None) -> None:
    """What is said on the command line is meant: nothing of it is passed over."""
    context = click.get_current_context()
    given = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if path is not None and "kubeconfig" in given:
        raise UsageError("PATH and --kubeconfig are two questions", hint="ask one after the other")
    for name, option in _FOR_PATHS.items():
        if path is None and name in given:
            raise UsageError(f"{option} needs PATH", hint="without PATH the cluster is read")


def _of_cluster(kubeconfig: str) -> Found:
    from reconciler.cluster.api import ApiClient
    from setscrew.gpu.live import read_cluster

    return read_cluster(ApiClient.load(kubeconfig), stamp(datetime.now(UTC)))


def _of_path(path: Path, rules: Rules, asked: dict[str, Any]) -> Found:
    from setscrew.checking.gathering import Options
    from setscrew.gpu.declared import read_path

    spec = RenderSpec(
        release_name=asked["release"],
        namespace=asked["namespace"],
        value_files=tuple(str(file.absolute()) for file in asked["value_files"]),
    )
    context = tuple(one for file in asked["context_files"] for one in rendered(file).objects)
    return read_path(Options(path, tools, context, spec), rules, stamp(datetime.now(UTC)))


def _with_guard(rows: Sequence[Row], server: str | None, token_file: Path | None, state_dir: Path | None) -> list[Row]:
    """The rows with what the running instance says of them, where one is named and answers."""
    if server is None and state_dir is None:
        return list(rows)
    from setscrew.cli.instance import address
    from setscrew.gpu.guarding import guarded_since

    try:
        url, token = address(server, token_file, state_dir)
        guarded = guarded_since(url, token, {row.object for row in rows if row.object})
    except SetscrewError as error:
        note([f"since when classes are guarded is not known: {error}"])
        return list(rows)
    return [replace(row, guarded=guarded.get(row.object)) if row.object else row for row in rows]
