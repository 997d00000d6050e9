"""Owns the reading of other tools' ignore lists into rules of ours: Argo CD's ignoreDifferences, Flux's drift ignores.

What cannot be said as a rule is named with its reason and left out: a rule that hides more than the list did would be
worse than none. Must not print.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import yaml

from reconciler.model.tree import dig
from reconciler.policy.expression import names_of
from reconciler.policy.jq import json_path
from reconciler.policy.pattern import compiled

Tool = Literal["argocd", "flux"]
_CM: Final = "resource.customizations.ignoreDifferences."


@dataclass(slots=True)
class Imported:
    """Rules as entries of a MaskRules document, and a line for each thing that is left out."""

    rules: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def add(self, where: str, rule: dict[str, Any], paths: Iterable[Any], kind: str) -> None:
        """Add one rule, if any of its paths can be said, under a name that no other has."""
        said = [path for path in map(str, paths) if self._sayable(where, path)]
        if not said:
            return
        name = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-") or "all"
        taken = sum(one["id"].rpartition("-")[0] == f"imported-{name}" for one in self.rules)
        self.rules.append({"id": f"imported-{name}-{taken + 1}", **rule, "paths": said, "when": "always"})

    def refuse(self, where: str, what: str, why: str) -> None:
        """Name what is left out."""
        self.refused.append(f"{where}: {what}: {why}")

    def _sayable(self, where: str, path: str) -> bool:
        try:
            _check(path)
        except ValueError as error:
            self.refuse(where, repr(path), str(error))
            return False
        return True


def _check(path: str) -> None:
    """Raises ValueError, with the reason, for a path that no rule can have."""
    if path.startswith(("/status", ".status")):
        raise ValueError("status is never compared, so no rule is needed")
    if path in ("", "/"):
        raise ValueError("it is the whole object: take it out of Git, or let a DriftPolicy audit it")
    compiled(path)


def imported(tool: Tool, documents: Iterable[Any], *, owner: str = "") -> Imported:
    """Rules out of the documents of a file. Those that hold no ignore list say nothing."""
    out = Imported()
    for document in documents:
        if isinstance(document, Mapping):
            (_argo if tool == "argocd" else _flux)(document, out, owner)
    return out


def _head(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else {}
    name = "/".join(str(named[key]) for key in ("namespace", "name") if named.get(key))
    return f"{document.get('kind') or 'list'} {name}".strip()


def _argo(document: Mapping[str, Any], out: Imported, owner: str) -> None:
    where = _head(document)
    common = {"reason": f"imported from {where}", "owner": owner or where}
    for at in (("spec",), ("spec", "template", "spec")):
        for entry in _entries(dig(document, *at, "ignoreDifferences")):
            kinds = [_kind(str(entry.get("group") or ""), str(entry.get("kind") or "*"))]
            narrow = {f"{key}s": [str(entry[key])] for key in ("name", "namespace") if entry.get(key)}
            _argo_entry(where, entry, {**common, "kinds": kinds, **narrow}, out)
    data = document.get("data")
    for key, text in data.items() if isinstance(data, Mapping) else ():
        if str(key).startswith(_CM):
            group, _, kind = str(key).removeprefix(_CM).rpartition("_")
            kinds = ["*"] if (group, kind) == ("", "all") else [_kind(group, kind)]
            for entry in _embedded(f"{where}: {key}", text, out):
                _argo_entry(f"{where}: {kind}", entry, {**common, "kinds": kinds}, out)


def _argo_entry(where: str, entry: Mapping[str, Any], rule: dict[str, Any], out: Imported) -> None:
    kind = rule["kinds"][0].rpartition("/")[2]
    paths = [*_strings(entry.get("jsonPointers"))]
    for expression in _strings(entry.get("jqPathExpressions")):
        try:
            paths.append(json_path(expression))
        except ValueError as error:
            out.refuse(where, repr(expression), str(error))
    out.add(where, rule, paths, kind)
    for manager in _strings(entry.get("managedFieldsManagers")):
        out.add(where, {**rule, "manager": manager}, ["/**"], f"{kind}-{manager}")


def _embedded(where: str, text: Any, out: Imported) -> list[Mapping[str, Any]]:
    try:
        found = yaml.safe_load(text) if isinstance(text, str) else None
    except yaml.YAMLError:
        found = None
    if not isinstance(found, Mapping):
        out.refuse(where, "its value", "no YAML mapping")
        return []
    return [found]


def _flux(document: Mapping[str, Any], out: Imported, owner: str) -> None:
    where = _head(document)
    common = {"reason": f"imported from {where}", "owner": owner or where}
    places = (("spec", "driftDetection", "ignore"), ("spec", "ignore"), ("ignore",), ("driftIgnoreRules",))
    for entry in (one for place in places for one in _entries(dig(document, *place))):
        target = entry.get("target") or entry.get("selector") or {}
        try:
            narrow = _target(target)
        except ValueError as error:
            out.refuse(where, f"paths {', '.join(_strings(entry.get('paths')))}", str(error))
            continue
        out.add(where, {**common, **narrow}, _strings(entry.get("paths")), str(dict(target).get("kind") or "all"))


def _target(target: Any) -> dict[str, Any]:
    """Kinds, names and namespaces of a Flux selector, whose fields are regular expressions."""
    if not isinstance(target, Mapping):
        raise ValueError("its target is no mapping")  # noqa: TRY004 - the reason of one refusal among others
    for key in ("labelSelector", "annotationSelector"):
        if target.get(key):
            raise ValueError(f"a rule knows no {key}")
    groups, kinds, names, namespaces = (_words(target, key) for key in ("group", "kind", "name", "namespace"))
    narrow = {"kinds": [_kind(group, kind) for group in groups or ["*"] for kind in kinds or ["*"]]}
    return {**narrow, **({"names": names} if names else {}), **({"namespaces": namespaces} if namespaces else {})}


def _words(target: Mapping[str, Any], key: str) -> list[str]:
    text = str(target.get(key) or "")
    try:
        return list(names_of(text))
    except ValueError as error:
        raise ValueError(f"{key} {text!r} {error}") from None


def _kind(group: str, kind: str) -> str:
    """The kind as rules write it; any group of any kind is `*`."""
    if (group, kind) == ("*", "*"):
        return "*"
    return f"{group}/{kind}" if group else kind


def _entries(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (entry for entry in (value if isinstance(value, list) else ()) if isinstance(entry, Mapping))


def _strings(value: Any) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def written(rules: Iterable[Mapping[str, Any]]) -> str:
    """The rules as a document, each with room for a last day."""
    texts = [yaml.safe_dump([dict(rule)], sort_keys=False, allow_unicode=True, width=110) for rule in rules]
    head = "apiVersion: setscrew.dev/v1alpha1\nkind: MaskRules\nrules:\n"
    return head + "".join(f"{text}  # expires: YYYY-MM-DD\n" for text in texts)
