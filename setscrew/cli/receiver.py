"""Owns the commands below `receiver`. Must not judge a delivery itself: `webhook.api.providers` does."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Final

import click

from reconciler.errors import UsageError
from reconciler.limits import PUSH_BODY_BYTES_MOST
from setscrew import configuration
from setscrew.api_client import post
from setscrew.api_files import read_address
from setscrew.cli.common import EXISTING, PATH, finish, note
from setscrew.delivering import Push, delivery
from setscrew.receivers import load_receivers, with_secrets
from webhook.api.configuration import plain_secret, secret_problem
from webhook.api.providers import PROVIDERS, judge
from webhook.api.providers.verdict import Verdict, malformed

_NOWHERE: Final = "https://setscrew.invalid/trial.git"


@click.group()
def receiver() -> None:
    r"""Receivers of pushes: judge a delivery that was recorded, send one for a trial.

    \b
    setscrew receiver verify --provider github --secret-file hook-secret --headers headers.json < body
    setscrew receiver test github --config conf --state ./state
    """


@receiver.command()
@click.option("--provider", type=click.Choice(list(PROVIDERS)), required=True, help="Whose form the delivery has.")
@click.option("--secret", help="The secret; azure-devops: user:password. In sight of this machine's users.")
@click.option("--secret-file", type=EXISTING, help="A file that holds it, in place of --secret.")
@click.option("--headers", "headers_file", type=EXISTING, required=True, help="JSON object: header to value.")
@click.option("--now", type=float, help="Unix seconds in place of the clock, for a delivery with a signed time.")
@click.option("-o", "--output", type=click.Choice(["json"]), default="json", expose_value=False, help="Format.")
def verify(provider: str, secret: str | None, secret_file: Path | None, headers_file: Path, now: float | None) -> None:
    r"""Judge the delivery on stdin (its raw body) as a running receiver would; prints what it is.

    Exit status 0: accepted or ignored, 1: rejected. Nothing is asked or refreshed.
    """
    key = _secret(secret, secret_file)
    headers = _headers(headers_file)
    if sys.stdin.isatty():
        raise UsageError("the body is read from stdin", hint="setscrew receiver verify … < body")
    if problem := secret_problem(key, provider):
        note([f"{problem}: a receiver with it would not start"])
    body = sys.stdin.buffer.read(PUSH_BODY_BYTES_MOST + 1)
    verdict = _verdict(provider, key, headers, body, time.time() if now is None else now)
    click.echo(json.dumps(verdict.as_json(), indent=2))
    finish(1 if verdict.result == "reject" else 0)


def _verdict(provider: str, secret: bytes, headers: dict[str, str], body: bytes, now: float) -> Verdict:
    if len(body) > PUSH_BODY_BYTES_MOST:
        return malformed(f"a push may have {PUSH_BODY_BYTES_MOST} bytes")
    return judge(provider, (secret,), headers, body, now)


def _secret(given: str | None, file: Path | None) -> bytes:
    if (given is None) == (file is None):
        raise UsageError("give exactly one of --secret and --secret-file")
    try:
        secret = os.fsencode(given) if given is not None else plain_secret(file.read_bytes() if file else b"")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if not secret:
        raise UsageError("the secret is empty", where=str(file or "--secret"))
    return secret


def _headers(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(file)) from None
    except (ValueError, RecursionError):
        raise UsageError("not JSON", where=str(file), hint='{"X-GitHub-Event": "push", …}') from None
    if not isinstance(found, dict) or not all(type(value) in {str, int} for value in found.values()):
        raise UsageError("not an object of header to value", where=str(file), hint='{"X-GitHub-Event": "push", …}')
    return {name: str(value) for name, value in found.items()}


@receiver.command()
@click.argument("name")
@click.option("--config", "config_dir", type=EXISTING, required=True, help="Where the Receiver document stands.")
@click.option("--source", "source_name", default="", help="Tell of this GitSource of --config, so that it is read.")
@click.option("--server", help="URL of the API server (default: that of --state).")
@click.option("--state", "state_dir", type=PATH, envvar="SETSCREW_STATE", help="State directory of `setscrew run`.")
@click.option("-o", "--output", type=click.Choice(["json"]), default="json", expose_value=False, help="Format.")
def test(name: str, config_dir: Path, source_name: str, server: str | None, state_dir: Path | None) -> None:
    r"""Send the receiver NAME a signed push, as its provider would, and print the answer.

    Without --source it tells of a repository that nobody follows: the answer is then `ignored`, and nothing is read.
    Exit status 1: refused.

    \b
    setscrew receiver test github --config conf --state ./state
    """
    specs = {spec.name: spec for spec in load_receivers(config_dir)}
    if name not in specs:
        raise UsageError(f"there is no receiver {name!r}", where=str(config_dir), hint="known: " + ", ".join(specs))
    url = server or read_address(_given(state_dir)).url
    secret = with_secrets(specs[name]).secrets[0].value
    push = _trial(config_dir, source_name)
    headers, body = delivery(specs[name].provider, secret, push)
    status, answer = post(url, f"/hooks/v1/{name}", headers, body)
    click.echo(json.dumps({"httpStatus": status, **answer}, indent=2))
    finish(0 if status in {200, 202} else 1)


def _given(state_dir: Path | None) -> Path:
    if state_dir is None:
        raise UsageError("give --state or --server")
    return state_dir


def _trial(config_dir: Path, source_name: str) -> Push:
    number, now = str(uuid.uuid4()), int(time.time())
    if not source_name:
        return Push(_NOWHERE, "refs/heads/trial", "a" * 40, number, now)
    sources = {source.name: source for source in configuration.load(config_dir).sources}
    if source_name not in sources:
        raise UsageError(f"there is no GitSource {source_name!r}", where=str(config_dir))
    source = sources[source_name]
    ref = source.ref.full if source.ref.full.startswith("refs/") else "refs/heads/trial"
    return Push(source.url, ref.replace("*", "trial"), "a" * 40, number, now)
