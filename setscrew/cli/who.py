"""Owns the command `who`: what a running instance knows of an object's past. Must not judge or store it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from reconciler.errors import UsageError
from reconciler.limits import REPORT_PAGE_MAX
from reconciler.model.own import API_VERSION
from reconciler.model.ref import ObjectRef
from reconciler.report.drift import DEFAULT_CLUSTER, finding_id
from reconciler.report.formats.words import group_of
from reconciler.report.printable import printable
from setscrew.cli.common import PATH, finish, note, output_option, print_json, print_yaml
from setscrew.cli.drift_named import Target, parse_target
from setscrew.cli.drift_read import Asked, Instance
from setscrew.cli.instance import address
from setscrew.cli.table import print_rows
from setscrew.timeline import Moment, timeline

_PATHS = 3
_UNKNOWN = 5


@click.command()
@click.argument("target", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="", help="Namespace of the object.")
@click.option("--server", metavar="URL", help="API server; default: the one of the state directory.")
@click.option("--token-file", type=PATH, help="File with its token.")
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory of `setscrew run`.")
@output_option("table", "json", "yaml", default="table")
def who(
    target: str, namespace: str, server: str | None, token_file: Path | None, state_dir: Path | None, output: str
) -> None:
    r"""Show who did what to KIND/NAME and when, oldest first: writes, refusals, grants used, drift found and over.

    A person is known by the record of admission, or by the API server's audit log where a write passed the guard by;
    managedFields only name a program. Nothing is known of an object that nobody has touched since it is guarded.

    \b
    setscrew who deploy/web -n shop --state ./state
    setscrew who deploy/web -n shop -o json | jq -r '.items[] | select(.event == "denied") | .user'

    Exit status: 0; 5 where no enforced source declares it and nothing is known of it.
    """
    from setscrew.api_files import read_token

    url, token_path = address(server, token_file, state_dir)
    past = _Past(Instance(url, read_token(token_path)), parse_target(target), namespace)
    ref, moments = past.read()
    if ref is None:
        note([f"no enforced source declares {target}, and nothing is known of it"])
        finish(_UNKNOWN)
    if output == "table":
        note([] if moments else [f"{ref} is guarded, and nobody is known to have touched it"])
        if moments:
            print_rows(("TIME", "WHAT", "WHO", "BY MEANS OF", "PATHS", "KNOWN BY"), map(_row, moments))
        return
    names = {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
    items = [printable(one.as_json()) for one in moments]
    found = {"apiVersion": API_VERSION, "kind": "Timeline", "metadata": names, "items": items}
    if output == "json":
        print_json(found)
    else:
        print_yaml([found])


class _Past:
    """What the API of an instance tells of one object."""

    def __init__(self, instance: Instance, target: Target, namespace: str) -> None:
        self._instance, self._target, self._namespace = instance, target, namespace

    def read(self) -> tuple[ObjectRef | None, tuple[Moment, ...]]:
        """Which object it is (None: nobody knows it), and its moments. Raises UsageError where it may be several."""
        where = {"namespace": self._namespace} if self._namespace else {}
        report, _ = Asked(self._instance, where, (self._target,)).report(None)
        items = (report or {"items": []})["items"]
        guarded = self._listed("/api/v1/guarded", {"name": self._target.name, **where})
        decisions = self._listed("/api/v1/decisions", {"name": self._target.name, **where})
        refs = {_ref(one) for one in (*items, *guarded, *decisions) if self._target.is_of({"kind": "", **one})}
        if len(refs) > 1:
            shown = ", ".join(map(str, sorted(refs)))
            raise UsageError(f"{self._target} may be {shown}", hint="name the group, and the namespace with -n")
        if not refs:
            return None, ()
        (ref,) = refs
        cluster = next((str(one["cluster"]) for one in (*items, *decisions) if one.get("cluster")), DEFAULT_CLUSTER)
        finding = self._finding(finding_id(ref, cluster))
        own = [one for one in decisions if _ref(one) == ref]
        return ref, timeline([finding] if finding else [], finding.get("history", ()), own)

    def _listed(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        from setscrew.api_client import get_json

        answer = get_json(self._instance.url, self._instance.token, path, {**query, "limit": str(REPORT_PAGE_MAX)})
        left = answer.get("metadata", {}).get("remainingItemCount")
        note([f"{left} earlier entries are not shown"] if left else [])
        return list(answer["items"])

    def _finding(self, identity: str) -> dict[str, Any]:
        """The finding, open or over, with its history; empty where there never was one."""
        from setscrew.api_client import find_json

        return find_json(self._instance.url, self._instance.token, f"/api/v1/drift/{identity}") or {}


def _ref(one: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef(group_of(one), *(str(one.get(name) or "") for name in ("kind", "namespace", "name")))


def _row(one: Moment) -> tuple[str | list[str], ...]:
    what = f"{one.event}: {one.code}" if one.code and one.event != "allowed" else one.event
    under = [f"under grant {one.grant}"] if one.grant else []
    means = [part for part in (one.manager, one.user_agent, one.verb) if part]
    more = [f"… {len(one.paths) - _PATHS} more"] if len(one.paths) > _PATHS else []
    detail = [one.detail] if one.detail else []
    return one.time, [what, *under], one.user or "", means, [*one.paths[:_PATHS], *more, *detail], one.confidence
