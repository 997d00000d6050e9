"""Owns the reading of configuration: the built-in policies, and a person's directory of documents. Must not act on it.

A directory holds YAML files with documents of kind GitSource, DriftPolicy, MaskRules, Receiver …: the same documents
that a cluster would hold as objects. It belongs to whoever runs Setscrew, so it is parsed in this process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.errors import UsageError
from reconciler.policy.model import Rules
from reconciler.policy.parse import RULE_KINDS, parse_rules
from reconciler.source.spec import GitSource, parse_source

POLICY_KINDS: Final = ("DriftPolicy", *RULE_KINDS)
KINDS: Final = (*POLICY_KINDS, "GitSource", "Receiver", "DriftGrant")
Document = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What to guard and how. `grants` are DriftGrant documents: only a clock can tell what they grant."""

    rules: Rules
    sources: tuple[GitSource, ...] = ()
    grants: tuple[Document, ...] = ()


def load(directory: Path | None) -> Configuration:
    """Built-in rules plus the documents of `directory`. Raises UsageError naming file and field."""
    own = list(documents(directory)) if directory is not None else []
    sources = tuple(_source(place, document) for place, document in own if document.get("kind") == "GitSource")
    names = [source.name for source in sources]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"GitSource {min(twice)!r} is defined twice", where=str(directory))
    grants = tuple((place, document) for place, document in own if document.get("kind") == "DriftGrant")
    return Configuration(parse_rules([*documents(builtin_policies()), *own]), sources, grants)


def _source(place: str, document: Mapping[str, Any]) -> GitSource:
    try:
        return parse_source(document)
    except UsageError as error:
        raise UsageError(error.message, where=f"{place}: {error.where}", hint=error.hint) from error


def load_rules(policy_directory: Path | None) -> Rules:
    """For `review --policy DIR`: the directory's policies in place of the built-in ones, with the built-in rules."""
    builtin = parse_rules(documents(builtin_policies()))
    if policy_directory is None:
        return builtin
    own = parse_rules(documents(policy_directory))
    tables = ("masks", "steering", "lists", "semantics", "scalers")
    return replace(
        builtin,
        policies=own.policies,
        **{name: getattr(own, name) or getattr(builtin, name) for name in tables},
        delegations=builtin.delegations + own.delegations,
        free_template_keys=builtin.free_template_keys + own.free_template_keys,
        opt_outs=builtin.opt_outs + own.opt_outs,
        finalizers=builtin.finalizers + own.finalizers,
        never_guarded=builtin.never_guarded + own.never_guarded,
    )


def builtin_policies() -> Path:
    """The shipped policies: beside the package in a wheel, at the top of a checkout."""
    here = Path(__file__).resolve().parent
    found = next((path for path in (here / "_policies", here.parent / "policies") if path.is_dir()), None)
    if found is None:
        raise UsageError("the built-in policies are missing", where=str(here), hint="install Setscrew again")
    return found


def documents(path: Path) -> Iterator[Document]:
    """Each document of a YAML file, or of all YAML files below a directory, with its place."""
    if not path.exists():
        raise UsageError("no such file or directory", where=str(path))
    files = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]) if path.is_dir() else [path]
    for file in files:
        for document in read(file):
            if not isinstance(document, Mapping):
                raise UsageError("every document must be a mapping with apiVersion and kind", where=str(file))
            if document.get("kind") not in KINDS:
                hint = f"known: {', '.join(KINDS)}"
                raise UsageError(f"unknown kind {document.get('kind')!r}", where=str(file), hint=hint)
            yield str(file), document


def read(file: Path) -> list[Any]:
    """The documents of one YAML file, whatever they are. Raises UsageError."""
    try:
        text = file.read_text("utf-8")
        return [document for document in yaml.safe_load_all(text) if document is not None]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(file)) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UsageError(f"not YAML: {error.problem}", where=f"{file}:{line}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"not YAML: {error}", where=str(file)) from error
