"""Owns the commands below `rollout`: how far an installation refuses, and the next step, rehearsed. Must not judge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from reconciler.cluster.api import ApiClient
from reconciler.errors import UsageError
from reconciler.limits import REPORT_PAGE, REPORT_PAGE_MAX
from reconciler.policy.model import Action
from reconciler.report.rehearsal import Rehearsal, rehearse
from reconciler.store.decisions import Span
from setscrew.cli.common import PATH, finish, note, output_option, print_json
from setscrew.cli.install import reach_options
from setscrew.cli.instance import address
from setscrew.cli.policy import print_rehearsal
from setscrew.cli.table import print_rows
from setscrew.cli.trail import Since
from setscrew.doctor.installed import ready
from setscrew.installing.objects import DEPLOYMENT, ref_of, shown
from setscrew.installing.prepare import rolled_out
from setscrew.installing.rollout import beside, is_of_rollout, stage
from setscrew.installing.server import Server

_MEANING: Final[Mapping[Action, str]] = {
    "Audit": "what would be refused is recorded",
    "Warn": "who writes what would be refused is warned",
    "Deny": "changes away from Git are refused, as policies say",
}


_EACH: Final = "give --server once for each (kubectl port-forward pod/…), or --yes to go on without them"


@click.group()
def rollout() -> None:
    r"""Let an installation refuse step by step: Audit, Warn, Deny. A new one begins with Audit.

    \b
    setscrew rollout status
    setscrew rollout advance --server http://127.0.0.1:8081 --server http://127.0.0.1:8082 --token-file token
    """


@rollout.command()
@reach_options
@output_option("text", "json", default="text")
def status(kubeconfig: str, kube_context: str, output: str) -> None:
    r"""Say how far it is, and of which sources anything is refused at all."""
    server = _installed(kubeconfig, kube_context)
    levers = server.levers()
    now = stage(levers)
    sources = [one for one in levers if one["kind"] == "GitSource"]
    if output == "json":
        found = [{"name": one["metadata"]["name"], **_standing(one)} for one in sources]
        print_json({"stage": now, "sources": found})
        return
    click.echo(f"{now}: {_MEANING[now]}")
    if sources:
        standings = [(str(one["metadata"]["name"]), _standing(one)) for one in sources]
        rows = [(name, one["mode"], one["ready"], one["message"]) for name, one in standings]
        print_rows(("SOURCE", "MODE", "READY", "MESSAGE"), rows)


def _standing(source: Mapping[str, Any]) -> dict[str, str]:
    status, reason, message = ready(source)
    mode = str((source.get("status") or {}).get("mode") or "New")
    return {"mode": mode, "ready": status, "reason": reason, "message": message}


@rollout.command()
@click.option("--since", type=Since(), default="7d", show_default=True, help="Rehearse what was recorded since then.")
@click.option(
    "--server",
    "apis",
    metavar="URL",
    multiple=True,
    help="API server of a replica, which has its record; repeat it for each of them.",
)
@click.option("--token-file", type=PATH, help="Its bearer token.")
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory, where it is at hand.")
@click.option("--yes", is_flag=True, help="Go on although something would be refused, or nobody could look.")
@reach_options
def advance(
    since: str, apis: tuple[str, ...], token_file: Path | None, state_dir: Path | None, yes: bool, **where: str
) -> None:
    r"""Go one step on: Audit to Warn, Warn to Deny. First the records are asked what Deny would have refused.

    Each replica has a record of its own, of the requests that it has answered.

    Exit status: 0 gone on, 1 not, for something would have been refused, or not all were asked.

    \b
    kubectl port-forward -n setscrew-system pod/POD 8081:8080 &            # for each pod, with a port of its own
    setscrew rollout advance --server http://127.0.0.1:8081 --server http://127.0.0.1:8082 --token-file token
    """
    server = _installed(where["kubeconfig"], where["kube_context"])
    apis = tuple(dict.fromkeys(one.rstrip("/") for one in apis))
    now = stage(server.levers())
    then = beside(now, 1)
    if then == now:
        note([f"{now} already: {_MEANING[now]}"])
        return
    found = _rehearsed(apis, token_file, state_dir, since, yes=yes)
    if found is not None and found.turned and not yes:
        note([f"still {now}: tell these people, delegate, or commit to Git what is right; --yes goes on all the same"])
        finish(1)
    if found is not None and (unasked := _replicas(server) - len(apis or (1,))) > 0 and not yes:
        note([f"still {now}: the records of {unasked} of {_replicas(server)} replicas were not asked; {_EACH}"])
        finish(1)
    _set(server, then)
    note([f"{now} → {then}: {_MEANING[then]}"])


@rollout.command()
@reach_options
def back(kubeconfig: str, kube_context: str) -> None:
    r"""Go one step back: Deny to Warn, Warn to Audit. At once, and without a question."""
    server = _installed(kubeconfig, kube_context)
    now = stage(server.levers())
    then = beside(now, -1)
    _set(server, then)
    note([f"{now} → {then}: {_MEANING[then]}"])


def _installed(kubeconfig: str, kube_context: str) -> Server:
    """Where it is installed. Raises UsageError where it is not: without a guard the absence of copies is no Deny."""
    server = Server(ApiClient.load(kubeconfig, kube_context))
    if server.read(DEPLOYMENT) is None:
        what = f"there is no {DEPLOYMENT}, so nothing refuses anything"
        raise UsageError(what, where=server.client.server, hint="setscrew install")
    return server


def _set(server: Server, action: Action) -> None:
    """New copies first: between two requests nothing may be stricter than before or after."""
    wanted = rolled_out(server, action)
    for tree in wanted:
        outcome, _ = server.apply(tree, force=True)
        if outcome != "unchanged":
            click.echo(f"{shown(ref_of(tree))} {outcome}")
    kept = {ref_of(tree) for tree in wanted}
    for ref in (ref_of(tree) for tree in server.levers() if is_of_rollout(tree)):
        if ref not in kept and server.delete(ref):
            click.echo(f"{shown(ref)} deleted")


def _replicas(server: Server) -> int:
    """How many have a record now; that of one that has ended is gone with it."""
    live = server.read(DEPLOYMENT) or {}
    return int((live.get("spec") or {}).get("replicas", 1))


def _rehearsed(
    apis: tuple[str, ...], token_file: Path | None, state_dir: Path | None, since: str, *, yes: bool
) -> Rehearsal | None:
    """What Deny would have refused, printed. Raises UsageError where nobody can look and that is not meant."""
    if not (apis or state_dir):
        if yes:
            return None
        hint = "give --server and --token-file, or --state; or --yes to go on unseen"
        raise UsageError("which record is to be asked what would be refused?", hint=hint)
    answers = [_recorded(*address(api, token_file, state_dir)) for api in apis or (None,)]
    all_ = sorted((one for answer in answers for one in answer["items"]), key=lambda one: str(one.get("time", "")))
    decisions = [one for one in all_ if str(one.get("time", "")) >= since]
    found = rehearse((one for one in decisions if "lost" not in one), "Deny", REPORT_PAGE)
    times = [str(one.get("time", "")) for one in decisions]
    lost = sum(int(one.get("lost", 0)) for one in decisions)
    print_rehearsal(found, Span(len(times), min(times, default=""), max(times, default=""), lost), since)
    if len(all_) == len(decisions) and any(answer["metadata"]["remainingItemCount"] for answer in answers):
        note([f"only the last {len(decisions)} decisions were asked: `setscrew policy try` in a pod asks all"])
    return found


def _recorded(server: str, token_file: Path) -> dict[str, Any]:
    """The newest decisions of the record, as the API lists them."""
    from setscrew.api_client import get_json
    from setscrew.api_files import read_token

    return get_json(server, read_token(token_file), "/api/v1/decisions", {"limit": str(REPORT_PAGE_MAX)})
