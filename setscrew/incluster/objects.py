"""Owns what the objects of a cluster come to: one configuration with those of a directory, and what is wrong.

Pure, but for the shipped policies that it is given. Each object is read by itself: one that cannot be used keeps what
it said before, as far as that is known, and stops no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from reconciler.errors import UsageError
from reconciler.model.own import NAMESPACE, SIGNING, TLS_SECRET, VALUES_SECRET
from reconciler.model.tree import Tree, dig
from reconciler.policy.model import Policy
from reconciler.policy.parse import parse_rules
from reconciler.render.spec import parse_render
from reconciler.snapshot.model import MemorySnapshot
from reconciler.source.secret import SecretRef
from reconciler.source.spec import GitSource, parse_source
from reconciler.store.sources import SourceStatus
from setscrew.configuration import Configuration

SOURCE: Final = "GitSource"
POLICY: Final = "DriftPolicy"
GRANT: Final = "DriftGrant"
# By kind and name.
Key = tuple[str, str]
Objects = Mapping[Key, Tree]
# Why an object is not used, as conditions have it: stable, see docs/reference/custom-resources.md.
INVALID: Final = "Invalid"
DEFINED_TWICE: Final = "DefinedTwice"
_OURS: Final = frozenset({VALUES_SECRET, SIGNING, TLS_SECRET})
_HELD: Final = "what it said before holds"
_TAKEN: Final = {
    POLICY: "a policy named {} is shipped, or stands in the mounted configuration",
    SOURCE: "a source named {} stands in the mounted configuration",
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an object does not count as it stands: a `reason` for programs, one line for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Combined:
    """What is to be followed. `others` are the states of sources that cannot be; `faults` of objects, by their keys.

    `sources` and `policies` are what is followed of objects, by name: also what one with a fault said before.
    """

    configuration: Configuration
    others: tuple[SourceStatus, ...] = ()
    faults: Mapping[Key, Fault] = field(default_factory=dict)
    sources: Mapping[str, GitSource] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)


def combined(
    given: Configuration, objects: Objects, before: Combined | None = None, last: MemorySnapshot | None = None
) -> Combined:
    """What `given` (shipped policies and a directory) and the objects come to.

    `before` is what they came to last, `last` what was enforced when this process began: either tells what an object
    said that cannot be used now.
    """
    faults: dict[Key, Fault] = {}
    known = _known_policies(before, last)
    policies = _used(POLICY, objects, faults, known, given.rules.policies, _policy_of)
    sources = _used(SOURCE, objects, faults, _known_sources(before, last), given.sources, source_of)
    named = (*given.rules.policies, *policies.values())
    rules = replace(given.rules, policies=tuple(sorted(named, key=lambda one: -one.priority)))
    lost = {name: fault for (kind, name), fault in faults.items() if kind == SOURCE and name not in sources}
    own = {one.name for one in given.sources}
    return Combined(
        configuration=replace(given, rules=rules, sources=(*given.sources, *sources.values())),
        others=tuple(SourceStatus(name, "Unsupported", message=lost[name].message) for name in lost if name not in own),
        faults=faults,
        sources=sources,
        policies=policies,
    )


def _used(
    kind: str,
    objects: Objects,
    faults: dict[Key, Fault],
    known: Mapping[str, T],
    given: Iterable[Policy | GitSource],
    parse: Callable[[Tree], T],
) -> dict[str, T]:
    """What the objects of a kind say, by name; `known` is what they said before, `given` has names of its own."""
    found, taken = dict[str, T](), {one.name for one in given}
    for key, tree in _of_kind(objects, kind):
        name = key[1]
        if name in taken:
            faults[key] = _twice(_TAKEN[kind].format(name))
            continue
        try:
            found[name] = parse(tree)
        except UsageError as error:
            faults[key] = _invalid(error, held=name in known)
            if name in known:
                found[name] = known[name]
    return found


def _policy_of(tree: Tree) -> Policy:
    (found,) = parse_rules([("the object", tree)]).policies
    return found


def source_of(tree: Tree) -> GitSource:
    """The source that an object defines; its Secrets are of our own namespace. Raises UsageError."""
    source = parse_source(tree)
    parse_render(source.render)
    verify = replace(source.verify, keys=_own(source.verify.keys, "verify.secretRef"))
    secret, proxy = _own(source.secret, "secretRef"), _own(source.proxy_secret, "proxySecretRef")
    return replace(source, secret=secret, proxy_secret=proxy, verify=verify)


def _own(ref: SecretRef | None, field_name: str) -> SecretRef | None:
    """A Secret of our namespace, but none of our own keys: a source sends what its Secret holds to its host."""
    if ref is None:
        return None
    if ref.name in _OURS:
        hint = "make a Secret of its own for the source"
        raise UsageError("names a Secret that holds keys of Setscrew", where=f"spec.{field_name}", hint=hint)
    return replace(ref, namespace=NAMESPACE)


def _known_policies(before: Combined | None, last: MemorySnapshot | None) -> Mapping[str, Policy]:
    if before is not None:
        return before.policies
    return {one.name: one for one in last.rules.policies} if last is not None else {}


def _known_sources(before: Combined | None, last: MemorySnapshot | None) -> Mapping[str, GitSource]:
    """Of what a process before this one has followed only the revision is known: it stays, and is not read."""
    if before is not None:
        return before.sources
    states = last.sources.values() if last is not None else ()
    return {
        one.name: GitSource(one.name, one.url, path=one.path, suspend=True, adopted_by=one.adopter) for one in states
    }


def _of_kind(objects: Objects, kind: str) -> Iterable[tuple[Key, Tree]]:
    return ((key, objects[key]) for key in sorted(objects) if key[0] == kind)


def _invalid(error: UsageError, *, held: bool) -> Fault:
    return Fault(INVALID, f"{error}; {_HELD}" if held else str(error))


def _twice(why: str) -> Fault:
    return Fault(DEFINED_TWICE, f"{why}, and counts: give the object another name")


def key_of(tree: Tree) -> Key:
    """By which an object is known."""
    return str(dig(tree, "kind")), str(dig(tree, "metadata", "name"))
