"""Owns the reading of configuration: the built-in policies, and a person's directory of documents. Must not act on it.

A directory holds YAML files with documents of kind GitSource, DriftPolicy, MaskRules, Receiver …: the same documents
that a cluster would hold as objects. It belongs to whoever runs Setscrew, so it is parsed in this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from reconciler.errors import UsageError
from reconciler.gpu.mig_table import MigTable, parse_mig_table
from reconciler.policy.model import Rules
from reconciler.policy.parse import RULE_KINDS, parse_rules
from reconciler.source.spec import GitSource, parse_source

POLICY_KINDS: Final = ("DriftPolicy", *RULE_KINDS)
MIG_PROFILES: Final = "MigProfiles"
KINDS: Final = (*POLICY_KINDS, "GitSource", "Receiver", "Reader", "GitHost", "DriftGrant", MIG_PROFILES)
# Where Secrets lie below a directory of configuration, unless --secrets says otherwise.
SECRETS: Final = "secrets"
Document = tuple[str, Mapping[str, Any]]
# Five times as fast, and each command begins with the shipped policies; text nested too deeply kills its process.
_SHIPPED_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
    rules = parse_rules([*documents(builtin_policies()), *own])
    return Configuration(replace(rules, mig_models=mig_table(more=own).models), sources, grants)


def _source(place: str, document: Mapping[str, Any]) -> GitSource:
    try:
        return parse_source(document)
    except UsageError as error:
        raise UsageError(error.message, where=f"{place}: {error.where}", hint=error.hint) from error


def load_rules(policy_directory: Path | None) -> Rules:
    """For `review --policy DIR`: the directory's policies in place of the built-in ones, with the built-in rules."""
    builtin = replace(parse_rules(documents(builtin_policies())), mig_models=mig_table(policy_directory).models)
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


def mig_table(directory: Path | None = None, more: Iterable[Document] = ()) -> MigTable:
    """The shipped MIG profiles, with those of `directory` and of `more` after them.

    Raises UsageError naming file and field.
    """
    own = documents(directory) if directory is not None else ()
    shipped = documents(builtin_policies() / "gpu" / "mig-profiles.yaml")
    return parse_mig_table(one for one in (*shipped, *own, *more) if one[1].get("kind") == MIG_PROFILES)


def builtin_policies() -> Path:
    """The shipped policies: beside the package in a wheel, at the top of a checkout."""
    here = Path(__file__).resolve().parent
    found = next((path for path in (here / "_policies", here.parent / "policies") if path.is_dir()), None)
    if found is None:
        raise UsageError("the built-in policies are missing", where=str(here), hint="install Setscrew again")
    return found


def documents(path: Path) -> Iterator[Document]:
    """Each document of a YAML file, or of all YAML files below a directory but its `secrets/`, with its place."""
    if not path.exists():
        raise UsageError("no such file or directory", where=str(path))
    for file in files_of(path):
        for document in read(file):
            if not isinstance(document, Mapping):
                raise UsageError("every document must be a mapping with apiVersion and kind", where=str(file))
            if document.get("kind") not in KINDS:
                hint = f"known: {', '.join(KINDS)}"
                raise UsageError(f"unknown kind {document.get('kind')!r}", where=str(file), hint=hint)
            yield str(file), document


def files_of(path: Path) -> list[Path]:
    """A YAML file, or all in a directory and below it, each once."""
    if not path.is_dir():
        return [path]
    return sorted(one for one in (*path.rglob("*.yaml"), *path.rglob("*.yml")) if not _is_beside(one, path))


def _is_beside(file: Path, directory: Path) -> bool:
    """True for Secrets, and for what a mounted volume keeps its files in: it shows each of them by a link as well."""
    parts = file.relative_to(directory).parts
    return parts[:1] == (SECRETS,) or any(part.startswith("..") for part in parts)


def read(file: Path) -> list[Any]:
    """The documents of one YAML file, whatever they are. Raises UsageError."""
    try:
        text = file.read_text("utf-8")
        loader = _SHIPPED_LOADER if file.is_relative_to(builtin_policies()) else yaml.SafeLoader
        return [document for document in yaml.load_all(text, loader) if document is not None]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {error}", where=str(file)) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UsageError(f"not YAML: {error.problem}", where=f"{file}:{line}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"not YAML: {error}", where=str(file)) from error
    except RecursionError as error:
        raise UsageError("not YAML: nested too deeply", where=str(file)) from error
