"""Owns what commands share: options, output formats, tools, offline contexts. Must not belong to one command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from reconciler.canonical.engine import Context
from reconciler.errors import ToolMissingError, UsageError
from reconciler.model.objects import RenderedObject
from reconciler.policy.expiry import active
from reconciler.policy.model import Rules
from reconciler.render.embedded_loader import load_embedded
from reconciler.render.renderer import render
from reconciler.render.spec import RenderResult, RenderSpec, RenderTools
from reconciler.schema.catalog import CRD, Authority, Catalog
from reconciler.store.schema_data import load_builtin
from setscrew import configuration

if TYPE_CHECKING:
    from webhook.server.feed import SnapshotFile

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
EXISTING = click.Path(path_type=Path, exists=True)
state_option = click.option(
    "--state", "state_dir", type=PATH, required=True, envvar="SETSCREW_STATE", help="State directory of `setscrew run`."
)

# `gpu show` and the commands over files mean files by --context, so they have not got this one.
context_option = click.option("--context", "kube_context", default="", help="Context of the kubeconfig.")


def output_option(*formats: str, default: str) -> Callable[[F], F]:
    """`-o`, with the formats this command knows."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=default, show_default=True, help="Format."
    )


def render_options(command: F) -> F:
    """`-n`, `--values`, `--release`: how to render a path."""
    options = (
        click.option("-n", "--namespace", default="", help="Namespace of the release, and of objects that name none."),
        click.option(
            "--values", "value_files", type=EXISTING, multiple=True, help="Helm values file; may be repeated."
        ),
        click.option("--release", default="", help="Name of the Helm release (default: the chart's name)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


_NO_TOOLS = RenderTools(Path("helm"), Path("kubectl"))


def tools() -> RenderTools:
    """Helm and kubectl as far as they are there; one that is missing is named when it is needed."""
    from setscrew.controlplane import find

    helm, kubectl = find("helm"), find("kubectl")
    return RenderTools(helm or Path("helm"), kubectl or Path("kubectl"))


def rendered(path: Path, namespace: str = "", value_files: Iterable[Path] = (), release: str = "") -> RenderResult:
    """Render a directory or file as `setscrew run` would. Raises RenderError, UsageError, ToolMissingError."""
    if not path.exists():
        raise UsageError("no such file or directory", where=str(path))
    spec = RenderSpec(
        release_name=release,
        namespace=namespace,
        value_files=tuple(str(file.absolute()) for file in value_files),
        source=path.resolve().name,
        recurse=True,
    )
    try:
        # A file of YAML needs no renderer, and asking the binaries for their version takes half a second.
        return render(path, spec, tools() if path.is_dir() else _NO_TOOLS)
    except FileNotFoundError as error:
        hint = "`make setup` builds the pinned helm and kubectl"
        raise ToolMissingError(f"cannot start {error.filename}", hint=hint) from error


def rules_of_today(path: Path | None) -> tuple[Rules, tuple[str, ...]]:
    """The shipped rules with the documents of `path`, and a line for each rule whose day has passed."""
    return active(configuration.load(path).rules, datetime.now(UTC).date())


def offline_context(
    rules: Rules,
    objects: Iterable[RenderedObject] = (),
    crds: Iterable[Any] = (),
    *,
    namespace: str = "",
    key: bytes = b"",
    authorities: tuple[Authority, ...] = (),
    guess: bool = False,
) -> Context:
    """A context that needs no cluster: the packaged kinds, and CRDs among `objects` and `crds`.

    `guess`: objects of kinds that nobody knows are taken as they are written.
    """
    own = [one.tree for one in objects if (one.ref.group, one.ref.kind) == CRD]
    catalog = Catalog((*authorities, load_builtin()), rules, [*own, *crds])
    return Context(catalog, rules, key, namespace or "default", guess, load_embedded)


def current_snapshot(state_dir: Path | None) -> SnapshotFile:
    """The snapshot that a running instance enforces. Raises UsageError where there is none."""
    from webhook.server.feed import Feed

    if state_dir is None:
        raise UsageError("--state is needed", hint="the state directory of `setscrew run`; or set SETSCREW_STATE")
    feed = Feed.of(state_dir)
    snapshot = feed.current()
    if snapshot is None:
        raise UsageError("no snapshot yet", where=str(state_dir), hint=feed.problem or "start `setscrew run` first")
    return snapshot


def print_json(value: Any) -> None:
    """Data on stdout, as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_yaml(values: Iterable[Any]) -> None:
    """Data on stdout, as YAML documents."""
    import yaml

    click.echo(yaml.safe_dump_all(list(values), sort_keys=False, allow_unicode=True), nl=False)


def note(lines: Iterable[str]) -> None:
    """Talk on stderr."""
    for line in lines:
        click.echo(f"setscrew: {line}", err=True)


def finish(status: int) -> NoReturn:
    """End with an exit status."""
    sys.exit(status)
