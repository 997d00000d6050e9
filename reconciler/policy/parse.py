"""Owns the reading of policy documents from mappings, problems with their place. Must not read files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from reconciler.errors import UsageError
from reconciler.policy.model import (
    Delegation,
    ListRule,
    MaskRule,
    Match,
    OptOut,
    Policy,
    Rules,
    SteeringRule,
    Subject,
    Writer,
)

Document = Mapping[str, Any]
T = TypeVar("T")

_CHOICES: dict[str, tuple[str, ...]] = {
    "action": ("Deny", "Warn", "Audit"),
    "undeclared": ("Deny", "Allow"),
    "failurePolicy": ("Ignore", "Fail"),
    "undecidable": ("Deny", "Allow"),
    "adopt": ("Always", "IfNoDiff", "Never"),
    "verify": ("Content", "None"),
    "onTimeout": ("Deny", "Allow"),
    "when": ("undeclared", "always", "aggregated"),
    "meaning": ("ordered", "set", "map"),
}
_OPERATIONS = ("CREATE", "UPDATE", "DELETE")


class _Reader:
    """Typed access to one mapping; names the offending key, and refuses keys that nobody reads."""

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise UsageError(f"expected a mapping, found {type(data).__name__}", where=where)
        self.data, self.where, self.read = data, where, set[str]()

    def get(self, key: str, kind: type[T], default: T) -> T:
        self.read.add(key)
        value: T = self.data.get(key, default)
        wrong = not isinstance(value, kind) or (kind is int and isinstance(value, bool))
        if wrong:
            raise UsageError(f"{key}: expected {kind.__name__}, found {type(value).__name__}", where=self.where)
        return value

    def choice(self, key: str, default: str) -> Any:
        value = self.get(key, str, default)
        if value not in _CHOICES[key]:
            raise UsageError(f"{key}: {value!r} is none of {', '.join(_CHOICES[key])}", where=self.where)
        return value

    def pointers(self, key: str) -> tuple[str, ...]:
        paths = self.strings(key)
        wrong = [path for path in paths if not path.startswith("/") and path != "{replicas}"]
        if wrong:
            raise UsageError(f"{key}: {wrong[0]!r} is no JSON pointer", where=self.where, hint="it starts with /")
        return paths

    def operations(self) -> tuple[str, ...]:
        names = self.strings("operations")
        wrong = [name for name in names if name not in _OPERATIONS]
        if wrong:
            raise UsageError(f"operations: {wrong[0]!r} is none of {', '.join(_OPERATIONS)}", where=self.where)
        return names

    def strings(self, key: str) -> tuple[str, ...]:
        values = self.get(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise UsageError(f"{key}: expected a list of strings", where=self.where)
        return tuple(values)

    def each(self, key: str, make: Callable[[Any, str], T]) -> tuple[T, ...]:
        return tuple(make(item, f"{self.where}.{key}[{i}]") for i, item in enumerate(self.get(key, list, [])))

    def done(self) -> None:
        unknown = sorted(set(map(str, self.data)) - self.read)
        if unknown:
            raise UsageError(f"unknown field {unknown[0]!r}", where=self.where, hint="see docs/reference/policy.md")


def _subject(data: Any, where: str) -> Subject:
    reader = _Reader(data, where)
    subject = Subject(
        service_account=reader.get("serviceAccount", str, ""),
        user=reader.get("user", str, ""),
        group=reader.get("group", str, ""),
    )
    reader.done()
    if sum(map(bool, (subject.service_account, subject.user, subject.group))) != 1:
        raise UsageError("a subject is exactly one of serviceAccount, user, group", where=where)
    if subject.service_account and subject.service_account.count("/") != 1:
        raise UsageError("serviceAccount is written namespace/name", where=where)
    return subject


def _writer(data: Any, where: str) -> Writer:
    reader = _Reader(data, where)
    writer = Writer(
        subjects=reader.each("subjects", _subject),
        verify=reader.choice("verify", "Content"),
        on_timeout=reader.choice("onTimeout", "Allow"),
    )
    reader.done()
    return writer


def _delegation(data: Any, where: str) -> Delegation:
    reader = _Reader(data, where)
    delegation = Delegation(
        paths=reader.pointers("paths"),
        kinds=reader.strings("kinds") or ("*",),
        to=reader.each("to", _subject),
        operations=reader.operations(),
        rule=reader.get("rule", str, ""),
    )
    reader.done()
    return delegation


def _match(data: Any, where: str) -> Match:
    reader = _Reader(data, where)
    labels = reader.get("labels", dict, {})
    if not all(isinstance(text, str) for pair in labels.items() for text in pair):
        raise UsageError("labels: expected strings", where=where, hint="quote the value")
    match = Match(
        sources=reader.strings("sources"),
        kinds=reader.strings("kinds"),
        namespaces=reader.strings("namespaces"),
        names=reader.strings("names"),
        labels=tuple(sorted(labels.items())),
    )
    reader.done()
    return match


def _policy(document: Document, where: str) -> Policy:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        raise UsageError("a DriftPolicy needs metadata.name", where=where)
    reader = _Reader(document.get("spec") or {}, f"{where}: DriftPolicy {name}: spec")
    policy = Policy(
        name=name,
        priority=reader.get("priority", int, 0),
        match=reader.each("match", _match) or (Match(),),
        action=reader.choice("action", "Deny"),
        undeclared=reader.choice("undeclared", "Deny"),
        fragment=reader.get("fragment", bool, False),
        exclusive=reader.get("exclusive", bool, False),
        failure_policy=reader.choice("failurePolicy", "Ignore"),
        undecidable=reader.choice("undecidable", "Deny"),
        adopt=reader.choice("adopt", "IfNoDiff"),
        trusted_mutators=reader.strings("trustedMutators"),
        writers=reader.each("writers", _writer),
        delegate=reader.each("delegate", _delegation),
    )
    reader.done()
    if policy.exclusive and not any(match.kinds for match in policy.match):
        raise UsageError("exclusive needs kinds in match", where=reader.where)
    return policy


def _mask(data: Any, where: str) -> MaskRule:
    reader = _Reader(data, where)
    mask = MaskRule(
        rule=reader.get("rule", str, ""),
        reason=reader.get("reason", str, ""),
        kinds=reader.strings("kinds"),
        paths=reader.pointers("paths"),
        when=reader.choice("when", "undeclared"),
        to=reader.each("to", _subject),
        allocated=reader.get("allocated", bool, default=False),
    )
    reader.done()
    return mask


def _steering(data: Any, where: str) -> SteeringRule:
    reader = _Reader(data, where)
    rule = SteeringRule(
        key=reader.get("key", str, ""),
        reason=reader.get("reason", str, ""),
        removable=reader.get("removable", bool, True),
        value=reader.get("value", str, ""),
        writers=reader.each("writers", _subject),
    )
    reader.done()
    return rule


def _opt_out(data: Any, where: str) -> OptOut:
    reader = _Reader(data, where)
    rule = OptOut(reader.get("key", str, ""), reader.get("value", str, ""), reader.get("reason", str, ""))
    reader.done()
    return rule


def _list_rule(data: Any, where: str) -> ListRule:
    reader = _Reader(data, where)
    rule = ListRule(
        kinds=reader.strings("kinds"),
        path=reader.get("path", str, ""),
        meaning=reader.choice("meaning", "ordered"),
        keys=reader.strings("keys"),
    )
    reader.done()
    return rule


def parse_rules(documents: Iterable[tuple[str, Document]]) -> Rules:
    """Compile policy documents, each with its place ("policies/default.yaml"), into rules.

    Raises UsageError for the first wrong field, and for two policies of one name. Documents of other kinds (GitSource,
    Receiver …) are left to their own readers.
    """
    rules, policies = Rules(policies=()), list[Policy]()
    for where, document in documents:
        kind = document.get("kind")
        if kind == "DriftPolicy":
            policies.append(_policy(document, where))
        elif kind in ("MaskRules", "SteeringRules", "ListRules", "Delegations"):
            reader = _Reader(document, where)
            reader.read |= {"apiVersion", "kind", "metadata"}
            rules = _add(rules, str(kind), reader)
            reader.done()
    names = [policy.name for policy in policies]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"DriftPolicy {min(twice)!r} is defined twice")
    return replace(rules, policies=tuple(sorted(policies, key=lambda policy: -policy.priority)))


def _add(rules: Rules, kind: str, reader: _Reader) -> Rules:
    if kind == "MaskRules":
        return replace(rules, masks=rules.masks + reader.each("rules", _mask))
    if kind == "ListRules":
        return replace(rules, lists=rules.lists + reader.each("rules", _list_rule))
    if kind == "SteeringRules":
        steering = rules.steering + reader.each("rules", _steering)
        free = rules.free_template_keys + reader.strings("freeTemplateKeys")
        opt_outs = rules.opt_outs + reader.each("optOuts", _opt_out)
        return replace(rules, steering=steering, free_template_keys=free, opt_outs=opt_outs)
    delegations = rules.delegations + reader.each("rules", _delegation)
    return replace(rules, delegations=delegations, never_guarded=rules.never_guarded + reader.strings("neverGuarded"))
