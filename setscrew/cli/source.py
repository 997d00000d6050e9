"""Owns the command `source`: how sources are, a look at Git now, and the word that what is held may come."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from reconciler.errors import UsageError
from setscrew.cli.common import PATH, note, output_option, print_json, state_option
from setscrew.cli.instance import address, ask

_FAILED_STATUS: Final = 4


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def source() -> None:
    r"""What is followed in Git: how it is, look at it now, take what is held.

    \b
    setscrew source list --state ./state
    setscrew source refresh shop
    setscrew source confirm shop
    """


@source.command("list")
@click.option("--server", metavar="URL", help="API server; default: the one of the state directory.")
@click.option("--token-file", type=PATH, help="File with its token.")
@click.option(
    "--state",
    "state_dir",
    type=PATH,
    envvar=["SETSCREW_STATE", "SETSCREW_STATE_DIR"],
    help="State directory of `setscrew run`; default: $SETSCREW_STATE.",
)
@output_option("table", "json", "yaml", default="table")
def list_sources(server: str | None, token_file: Path | None, state_dir: Path | None, output: str) -> None:
    r"""Show each source: its state and since when, the revision that is enforced, and what keeps a newer one back.

    Ends with 0 where all are ready or suspended, with 4 where one is not.

    \b
    setscrew source list --state ./state
    setscrew source list -o json | jq '.items[] | select(.stale) | .name'
    """
    from setscrew.api_client import get_json
    from setscrew.api_files import read_token

    url, token = address(server, token_file, state_dir)
    found = get_json(url, read_token(token), "/api/v1/sources", {})
    if output == "json":
        print_json(found)
    elif output == "yaml":
        import msgspec

        click.echo(msgspec.yaml.encode(found).decode(), nl=False)
    else:
        _print_table(found["items"])
    sys.exit(0 if all(one["state"] in {"Ready", "Suspended"} for one in found["items"]) else _FAILED_STATUS)


@source.command()
@click.argument("names", metavar="[SOURCE]...", nargs=-1)
@state_option
@output_option("text", "json", default="text")
def refresh(names: tuple[str, ...], state_dir: Path, output: str) -> None:
    r"""Look at Git now, at these sources or at all, and wait until what is seen is enforced.

    Ends with 0 where all could be read, with 4 where one could not.

    \b
    setscrew source refresh shop --state ./state
    """
    failed: dict[str, str] = {}
    digest = ""
    for name in names or ("",):
        for answer in ask(state_dir, {"op": "refresh", "source": name}):
            failed |= answer.get("failed") or {}
            digest = answer.get("digest", digest)
    if output == "json":
        print_json({"failed": failed, "digest": digest})
    else:
        note(failed.values())
        click.echo(f"in force: snapshot {digest[:12]}" if digest else "nothing is in force yet")
    sys.exit(_FAILED_STATUS if failed else 0)


@source.command()
@click.argument("name", metavar="SOURCE")
@state_option
@output_option("text", "json", default="text")
def confirm(name: str, state_dir: Path, output: str) -> None:
    r"""Take the revision of SOURCE that is held: it lets go of most objects, leaves out the last one, or breaks a rule.

    It holds for this revision alone: one that is pushed meanwhile is judged anew.

    \b
    setscrew source confirm shop --state ./state
    """
    answer = next(ask(state_dir, {"op": "confirm", "source": name}), {})
    if not answer.get("revision"):
        raise UsageError("nothing of it is held", where=f"source {name}", hint="see setscrew source list")
    if output == "json":
        print_json(answer)
    else:
        note([answer["failed"]] if answer["failed"] else [])
        click.echo(f"{name}: {answer['revision']} was confirmed; in force: snapshot {answer['digest'][:12]}")
    sys.exit(_FAILED_STATUS if answer["failed"] else 0)


def _print_table(items: list[dict[str, Any]]) -> None:
    from setscrew.cli.table import print_rows

    rows = [
        [one["name"], _state(one), one["since"], one["enforced"] or "-", str(one["objects"]), one["message"] or "-"]
        for one in items
    ]
    print_rows(["SOURCE", "STATE", "SINCE", "ENFORCED", "OBJECTS", "MESSAGE"], rows)


def _state(one: dict[str, Any]) -> str:
    marks = [word for word, holds in (("stale", one["stale"]), ("rewritten", one["rewritten"])) if holds]
    return f"{one['state']} ({', '.join(marks)})" if marks else str(one["state"])
