"""Owns how an explanation reads on a terminal. The words of the answer itself stand as kubectl would print them."""

from __future__ import annotations

from typing import Any

import click

from reconciler.report.printable import one_line

_WRITERS = 5


def print_explained(answer: dict[str, Any]) -> None:
    """What is known of the object, one line each, then the question and its answer."""
    commit = f"{answer['commit'][:12]} ({one_line(answer['subject'])})" if answer["commit"] else "a directory"
    click.echo(one_line(answer["object"]))
    signed = f", signed by {answer['signer']}" if answer["signer"] else ""
    _line("declared in", f"{answer['file']} at {commit}{signed}")
    _line("source", f"{answer['source']} ({answer['url']}), {answer['mode']}")
    _line("policy", f"{answer['policy']}, action {answer['action']}")
    form = "confirmed by the API server" if answer["confidence"] == "server" else "offline"
    _line("form", f"{form}{': ' + answer['reason'] if answer['reason'] else ''}")
    for name, text in _standing(answer):
        _line(name, text)
    for mask in answer["masks"]:
        _line("left to", f"rule {mask['rule']} for {mask['path']}: {mask['reason']}")
    for line in answer.get("gpu", {}).get("lines", ()):
        _line("users", line)
    for grant in answer["grants"]:
        _line("granted to", _granted(grant))
    for writer in answer["writers"][-_WRITERS:]:
        sub = f" /{writer['subresource']}" if writer["subresource"] else ""
        _line("last written", f"by {writer['manager']}{sub} ({writer['operation']}) at {writer['time']}")
    _print_answer(answer)


def _line(name: str, text: str) -> None:
    click.echo(f"  {name:<13} {one_line(text)}")


def _standing(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Why nothing is refused here, if so, and what is not guarded at all."""
    said = []
    if answer["mode"] == "watched":
        said.append(("watched", f"nothing of this source is refused until `setscrew enforce {answer['source']}`"))
    if not answer["adopted"]:
        said.append(("not adopted", "it was there before Git declared it: changes are recorded, not refused"))
    if answer["derived"]:
        said.append(("not guarded", answer["derived"]))
    return said


def _granted(grant: dict[str, Any]) -> str:
    spec = grant["spec"]
    names = ", ".join(name for subject in spec["subjects"] for name in subject.values())
    paths = ", ".join(spec["scope"].get("paths", ())) or "all of it"
    return f"{names} until {spec['notAfter']} for {paths}: {spec['reason']} (grant {grant['metadata']['name']})"


def _print_answer(answer: dict[str, Any]) -> None:
    field = answer.get("field")
    if field:
        _line("field", f"{field['field']}: Git wants {field['want']}, live {field['live']}")
        _line("last writer", field["lastWriter"] or "unknown")
    asked, change = ("a change of this field", field["change"]) if field else ("deleting it", answer["delete"])
    would = f", and under action Deny refused as {change['would']}" if change["would"] else ""
    verdict = f"{'allowed' if change['allowed'] else 'refused'} ({change['code']}{would})"
    click.echo(f"  {asked} would be {verdict}")
    for warning in change["warnings"]:
        click.echo(f"Warning: {warning}")
    if change["message"]:
        click.echo(change["message"])
