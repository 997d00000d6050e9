"""Owns what a reader can do about a finding: the commands that undo or keep it. Pure; must not run anything.

Names and values come from the cluster: each is quoted for a shell, so that a command that is copied does what it says.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.ref import ObjectRef, split_api_version

_UNDECLARED = frozenset({"extra", "orphaned"})


@dataclass(frozen=True, slots=True)
class Step:
    """One way on: what it does in a sentence, and the commands, in order."""

    title: str
    text: str
    commands: tuple[str, ...] = ()


def ref_of(item: Mapping[str, Any]) -> ObjectRef:
    """The object that a finding is about."""
    group, _ = split_api_version(str(item.get("apiVersion", "")))
    return ObjectRef(group, *(str(item.get(name, "")) for name in ("kind", "namespace", "name")))


def steps(item: Mapping[str, Any]) -> tuple[Step, ...]:
    """What can be done about a finding, the safest first."""
    return (*_undo(item), *_keep(item), *_ask(item), *_granted(item))


def over(item: Mapping[str, Any]) -> tuple[Step, ...]:
    """What can be done about a finding that is over."""
    return tuple(_ask(item))


def _undo(item: Mapping[str, Any]) -> Iterator[Step]:
    ref, state = ref_of(item), item.get("state")
    if state in _UNDECLARED:
        text = "Git does not declare it: removing it is always allowed. Look at what it does first."
        yield Step("Remove it", text, (_command("kubectl", "delete", *_target(ref)),))
    elif item.get("patch"):
        steps = json.dumps(item["patch"], separators=(",", ":"), ensure_ascii=False)
        text = "Puts back what Git says, these fields and nothing else. Anyone who may write the object may do so."
        yield Step("Undo it", text, (_command("kubectl", "patch", *_target(ref), "--type=json", f"--patch={steps}"),))
    elif state in {"missing", "drifted"}:
        yield from _apply(item)


def _apply(item: Mapping[str, Any]) -> Iterator[Step]:
    """A patch would hold a value that is not shown, or there is nothing to patch: the declaration itself is applied."""
    source = _source(item)
    if not source.get("file"):
        return
    missing = item.get("state") == "missing"
    text = (
        "Syncing the source with your GitOps tool creates it again."
        if missing
        else (
            "The values are not shown, so there is no patch. Syncing the source with your GitOps tool puts them back."
        )
    )
    at = f"{source.get('commit') or 'HEAD'}:{source['file']}"
    apply = f"git show {shlex.quote(at)} | kubectl apply --server-side --force-conflicts -f -"
    text += " Of a plain manifest, in a clone of the repository:"
    yield Step("Create it again" if missing else "Undo it", text, (apply,))


def _keep(item: Mapping[str, Any]) -> Iterator[Step]:
    source = _source(item)
    if item.get("state") in _UNDECLARED | {"unknown"} or not source.get("file"):
        return
    line = f"+{source['line']} " if source.get("line") else ""
    file = shlex.quote("./" + str(source["file"]))
    commands = (f'"$EDITOR" {line}{file}', "git commit --all && git push")
    yield Step("Or keep it: change it in Git", "What is committed and pushed is what Git says from then on.", commands)


def _ask(item: Mapping[str, Any]) -> Iterator[Step]:
    ref = ref_of(item)
    if item.get("state") not in _UNDECLARED:
        text = "Where it is declared, who wrote it last, and what another change would be answered."
        yield Step("Ask about it", text, (_command("setscrew", "explain", *_target(ref)),))


def _granted(item: Mapping[str, Any]) -> Iterator[Step]:
    ref, attribution = ref_of(item), item.get("attribution") or {}
    if item.get("state") in _UNDECLARED | {"unknown"}:
        return
    who = str(attribution.get("user") or "NAME")
    options = (f"--ref={ref}", "--for=1h", "--reason=WHY", "--approver=APPROVER")
    text = "Somebody may leave Git for a time, with a reason and somebody else's yes. What stays after it is drift."
    yield Step("Or allow it for a while", text, (_command("setscrew", "grant", "create", f"--user={who}", *options),))


def _target(ref: ObjectRef) -> tuple[str, ...]:
    """As kubectl and we take it. One word with a slash: a name that begins with a dash is no option."""
    kind = f"{ref.kind.lower()}.{ref.group}" if ref.group else ref.kind.lower()
    return (f"{kind}/{ref.name}", *(("-n", ref.namespace) if ref.namespace else ()))


def _command(*words: str) -> str:
    """Quoted for a shell, each long option on a line of its own."""
    return "".join(f" \\\n  {quoted(word)}" if word.startswith("--") else f" {quoted(word)}" for word in words).strip()


def quoted(word: str) -> str:
    """A word for a shell; of an option only its value is quoted."""
    name, equals, value = word.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and name.startswith("--") else shlex.quote(word)


def _source(item: Mapping[str, Any]) -> Mapping[str, Any]:
    source: Mapping[str, Any] = item.get("source") or {}
    return source
