"""Owns the commands `install` and `upgrade`: their options, and how a run is told. Must not apply anything itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from reconciler.cluster.api import ApiClient
from reconciler.errors import UsageError
from reconciler.model.ref import ObjectRef
from setscrew.cli.common import context_option, finish, note, output_option, print_json, print_yaml
from setscrew.installing.applying import Applying
from setscrew.installing.errors import PreflightError
from setscrew.installing.ground import survey
from setscrew.installing.objects import order, ordered, shown
from setscrew.installing.preflight import Ground, Preflight, checks
from setscrew.installing.prepare import Prepared, prepared
from setscrew.installing.server import Server
from setscrew.installing.settings import Settings, git_source
from setscrew.installing.waiting import Patience

F = TypeVar("F", bound=Callable[..., Any])
_TIMEOUT_SECONDS: Final = 300


def reach_options(command: F) -> F:
    """`--kubeconfig`, `--context`: which cluster, and as whom."""
    kubeconfig = click.option("--kubeconfig", default="", envvar="KUBECONFIG", help="Which cluster, and as whom.")
    return kubeconfig(context_option(command))


def wait_options(command: F) -> F:
    """`--wait`, `--timeout`."""
    wait = click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until all replicas are ready.")
    timeout = click.option(
        "--timeout",
        type=click.FloatRange(min=1),
        default=_TIMEOUT_SECONDS,
        show_default=True,
        metavar="SECONDS",
        help="How long each wait may last.",
    )
    return wait(timeout(command))


def _choices(command: F) -> F:
    options = (
        click.option(
            "--overlay", default="", help="Which of the shipped overlays; default: as before, at first prevent."
        ),
        click.option(
            "--image", default="", help="REGISTRY/setscrew:TAG; default: as before, at first the shipped one."
        ),
        click.option(
            "--installer",
            "installers",
            multiple=True,
            metavar="USER",
            help="Who may change Setscrew itself: a user, group:NAME, or system:serviceaccount:NS:NAME; may be "
            "repeated. Default: as before, at first who runs this.",
        ),
        click.option(
            "--grantor",
            "grantors",
            multiple=True,
            metavar="USER",
            help="Who besides may make grants; written as --installer. Default: as before, at first nobody.",
        ),
        click.option("--force-conflicts", is_flag=True, help="Take fields back that others have set."),
        click.option("--dry-run", is_flag=True, help="Ask the API server what would change, and change nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="[NAME=]URL[//PATH][?ref=BRANCH]",
    help="A repository to guard, as a GitSource; may be repeated.",
)
@_choices
@reach_options
@wait_options
@output_option("text", "json", "yaml", default="text")
def install(sources: tuple[str, ...], **options: Any) -> None:
    r"""Install Setscrew into a cluster, or go on with an installation that was broken off. Twice changes nothing.

    First it looks for what stands against it, and stops before anything is changed. With -o yaml it prints the objects
    and applies none.

    \b
    setscrew install --dry-run
    setscrew install --image registry.example.com/setscrew:0.1.0 \\
        --source 'https://git.example.com/shop.git//deploy/prod?ref=main'
    """
    _run(options, tuple(map(git_source, sources)), upgrade=False)


@click.command()
@_choices
@reach_options
@wait_options
@output_option("text", "json", "yaml", default="text")
def upgrade(**options: Any) -> None:
    r"""Bring an installation to this version: what changes is shown, replicas of both versions work side by side.

    One minor version at a time, up or down: to go back, run the older `setscrew upgrade`.

    \b
    setscrew upgrade --dry-run
    setscrew upgrade --image registry.example.com/setscrew:0.2.0
    """
    _run(options, (), upgrade=True)


def _run(options: dict[str, Any], sources: tuple[dict[str, Any], ...], *, upgrade: bool) -> None:
    server = Server(ApiClient.load(options["kubeconfig"], options["kube_context"]))
    chosen = Settings(options["overlay"], options["image"], options["installers"], options["grantors"], sources)
    plan = prepared(server, chosen)
    if upgrade and not plan.before.objects:
        raise UsageError("Setscrew is not installed here", where=server.client.server, hint="setscrew install")
    output, force = options["output"], options["force_conflicts"]
    if output == "yaml":
        print_yaml(tree for trees in ordered(plan.documents).values() for tree in trees)
        return
    ground = survey(server, plan.documents, registers=plan.registers, force=force)
    _judged(checks(ground))
    if upgrade or options["dry_run"]:
        _show(ground, output)
    if options["dry_run"]:
        return
    _apply(server, plan, options)


def _judged(found: Iterable[Preflight]) -> None:
    """Say what was found; end where something stands against it. Raises PreflightError."""
    problems = [one for one in found if one.state == "problem"]
    note(told(one) for one in found if one.state in ("warning", "problem"))
    if problems:
        many = f"{len(problems)} things stand" if len(problems) > 1 else "something stands"
        hint = "`setscrew doctor --preflight` looks again"
        raise PreflightError(f"{many} against it, and nothing was changed", hint=hint)


def told(one: Preflight) -> str:
    """One finding as a line: what, why, what next, code."""
    why = f": {one.why}" if one.why else ""
    return f"{one.state}: {one.what}{why}{f' ({one.fix})' if one.fix else ''} [{one.code}]"


def _show(ground: Ground, output: str) -> None:
    if output == "json":
        rows = [{"object": str(one.ref), "outcome": one.outcome, "diff": one.diff} for one in ground.tried]
        print_json({"dryRun": True, "objects": rows})
        return
    for one in sorted(ground.tried, key=lambda one: order(one.ref)):
        if one.diff:
            click.echo(one.diff)
        elif one.outcome != "unchanged":
            click.echo(f"{shown(one.ref)} would be {one.outcome}{f' ({one.unseen})' if one.unseen else ''}")


def _apply(server: Server, plan: Prepared, options: dict[str, Any]) -> None:
    text = options["output"] == "text"

    def tell(ref: ObjectRef, outcome: str) -> None:
        if text:
            click.echo(f"{shown(ref)} {outcome}")

    patience = Patience(options["timeout"], _say) if options["wait"] else None
    run = Applying(server, tell, patience, force=options["force_conflicts"])
    try:
        run.run(plan.documents, plan.before, plan.after)
    except KeyboardInterrupt:
        note([f"broken off, {_changed(run)}: the same command goes on from there"])
        raise
    if not text:
        print_json({"objects": [{"object": str(ref), "outcome": one} for ref, one in run.outcomes.items()]})
    note([f"{plan.after.version} is installed (overlay {plan.after.overlay}), {_changed(run)}", *_next(plan)])
    finish(0)


def _changed(run: Applying) -> str:
    changed = sum(one != "unchanged" for one in run.outcomes.values())
    return f"{changed} object{'' if changed == 1 else 's'} changed"


def _say(line: str) -> None:
    note([line])


def _next(plan: Prepared) -> list[str]:
    if not plan.registers:
        return ["nothing is refused with this overlay; `kubectl get gitsources` says how sources stand"]
    return ["`kubectl get gitsources` says how sources stand, `setscrew doctor --in-cluster` whether the guard sees"]
