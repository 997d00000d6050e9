"""Owns the reading of policy documents from mappings, problems with their place. Must not read files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from string import Formatter
from typing import Any, Final

from reconciler.errors import UsageError
from reconciler.limits import GRANT_HOURS, POLICY_PRIORITY
from reconciler.policy import named
from reconciler.policy.model import (
    MARKS,
    Delegation,
    FinalizerRule,
    GrantRules,
    Match,
    OptOut,
    Policy,
    Rules,
    SteeringRule,
    Writer,
)
from reconciler.policy.reader import Reader, subject

Document = Mapping[str, Any]

RULE_KINDS: Final = (
    *("MaskRules", "SteeringRules", "ListRules", "Delegations", "SemanticRules", "ScalerRules", "CodeRules"),
    *("GrantRules", "GpuClasses"),
)


def _writer(data: Any, where: str) -> Writer:
    reader = Reader(data, where)
    writer = Writer(
        subjects=reader.each("subjects", subject),
        verify=reader.choice("verify", "Content"),
        on_timeout=reader.choice("onTimeout", "Allow"),
    )
    reader.done()
    return writer


def _delegation(data: Any, where: str) -> Delegation:
    reader = Reader(data, where)
    delegation = Delegation(
        paths=reader.pointers("paths"),
        kinds=reader.words("kinds") or ("*",),
        to=reader.each("to", subject),
        operations=reader.choices("operations"),
        rule=reader.get("rule", str, ""),
        names=reader.words("names"),
        undeclared_only=reader.get("undeclaredOnly", bool, False),
    )
    reader.done()
    return delegation


def _match(data: Any, where: str) -> Match:
    reader = Reader(data, where)
    labels = reader.get("labels", dict, {})
    if not all(isinstance(text, str) for pair in labels.items() for text in pair):
        raise UsageError("labels: expected strings", where=where, hint="quote the value")
    match = Match(
        sources=reader.words("sources"),
        kinds=reader.words("kinds"),
        namespaces=reader.strings("namespaces"),
        names=reader.words("names"),
        labels=tuple(sorted(labels.items())),
    )
    reader.done()
    return match


def _policy(document: Document, where: str) -> Policy:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        raise UsageError("a DriftPolicy needs metadata.name", where=where)
    reader = Reader(document.get("spec") or {}, f"{where}: DriftPolicy {name}: spec")
    policy = Policy(
        name=name,
        priority=reader.get("priority", int, 0),
        match=reader.each("match", _match) or (Match(),),
        action=reader.choice("action", "Deny"),
        undeclared=reader.choice("undeclared", "Deny"),
        fragment=reader.get("fragment", bool, False),
        exclusive=reader.get("exclusive", bool, False),
        only_where=reader.condition("onlyWhere"),
        once=reader.words("once"),
        named_by=reader.pointers("namedBy"),
        failure_policy=reader.choice("failurePolicy", "Ignore"),
        undecidable=reader.choice("undecidable", "Deny"),
        adopt=reader.choice("adopt", "IfNoDiff"),
        descendants=reader.choice("descendants", "Ignore"),
        trusted_mutators=reader.words("trustedMutators"),
        writers=reader.each("writers", _writer),
        delegate=reader.each("delegate", _delegation),
        heal=reader.choice("heal", "Never"),
    )
    reader.done()
    if abs(policy.priority) > POLICY_PRIORITY:
        raise reader.wrong(f"priority: expected a number from {-POLICY_PRIORITY} to {POLICY_PRIORITY}")
    if any(not pointer for pointer, _ in policy.only_where):
        raise reader.wrong("onlyWhere: expected a mapping from pointers to patterns")
    if policy.exclusive and not any(match.kinds for match in policy.match):
        raise UsageError("exclusive needs kinds in match", where=reader.where)
    if policy.named_by and not policy.once:
        raise UsageError("namedBy needs once: the kinds that name objects", where=reader.where)
    return policy


def _steering(data: Any, where: str) -> SteeringRule:
    reader = Reader(data, where)
    rule = SteeringRule(
        key=reader.get("key", str, ""),
        reason=reader.get("reason", str, ""),
        removable=reader.get("removable", bool, True),
        value=reader.get("value", str, ""),
        writers=reader.each("writers", subject),
        initial=reader.get("initial", str, ""),
        adopter=reader.get("adopter", str, ""),
        kinds=reader.strings("kinds"),
    )
    reader.done()
    try:
        unknown = {name for _, name, _, _ in Formatter().parse(rule.value) if name is not None} - MARKS
    except ValueError as error:
        raise reader.wrong(f"value: {error}") from error
    if unknown:
        raise reader.wrong(f"value: {min(unknown)!r} is none of {', '.join(sorted(MARKS))}")
    return rule


def _finalizer(data: Any, where: str) -> FinalizerRule:
    reader = Reader(data, where)
    rule = FinalizerRule(reader.get("key", str, ""), reader.each("to", subject))
    reader.done()
    return rule


def _opt_out(data: Any, where: str) -> OptOut:
    reader = Reader(data, where)
    rule = OptOut(reader.get("key", str, ""), reader.get("value", str, ""), reader.get("reason", str, ""))
    reader.done()
    return rule


def _grant_rules(reader: Reader, before: GrantRules) -> GrantRules:
    """What a document leaves out stays as the documents before it say."""
    hours = reader.get("mostHours", int, before.most_hours)
    if not 1 <= hours <= GRANT_HOURS:
        raise reader.wrong(f"mostHours: {hours} is not from 1 to {GRANT_HOURS}")
    return GrantRules(hours, reader.choice("selfApproval", before.self_approval))


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
        elif kind in RULE_KINDS:
            reader = Reader(document, where)
            reader.read |= {"apiVersion", "kind", "metadata"}
            rules = _add(rules, str(kind), reader)
            reader.done()
    names = [policy.name for policy in policies]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"DriftPolicy {min(twice)!r} is defined twice")
    return replace(rules, policies=tuple(sorted(policies, key=lambda policy: -policy.priority)))


def _add(rules: Rules, kind: str, reader: Reader) -> Rules:
    if kind == "MaskRules":
        return replace(rules, masks=(*rules.masks, *chain(*reader.each("rules", named.masks))))
    if kind == "ListRules":
        return replace(rules, lists=(*rules.lists, *chain(*reader.each("rules", named.lists))))
    if kind == "SemanticRules":
        return replace(rules, semantics=rules.semantics + reader.each("rules", named.semantic))
    if kind == "ScalerRules":
        return replace(rules, scalers=rules.scalers + reader.each("rules", named.scaler))
    if kind == "CodeRules":
        return replace(rules, code=rules.code + reader.each("rules", named.code))
    if kind == "GpuClasses":
        return replace(rules, gpu_classes=rules.gpu_classes + reader.each("rules", named.gpu_class))
    if kind == "GrantRules":
        return replace(rules, grants=_grant_rules(reader, rules.grants))
    if kind == "SteeringRules":
        steering = rules.steering + reader.each("rules", _steering)
        free = rules.free_template_keys + reader.strings("freeTemplateKeys")
        opt_outs = rules.opt_outs + reader.each("optOuts", _opt_out)
        finalizers = rules.finalizers + reader.each("finalizers", _finalizer)
        return replace(rules, steering=steering, free_template_keys=free, opt_outs=opt_outs, finalizers=finalizers)
    delegations = rules.delegations + reader.each("rules", _delegation)
    return replace(rules, delegations=delegations, never_guarded=rules.never_guarded + reader.strings("neverGuarded"))
