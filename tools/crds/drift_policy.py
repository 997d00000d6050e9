"""Owns the schema of a DriftPolicy, made of the dataclasses that its reader fills. Must not know other kinds."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from crds.words import LABEL_CHARS, Schema, choice, mapping, pairs, rules, said, several, text
from reconciler.limits import OBJECT_ENTRIES, OBJECT_KIND_CHARS, OBJECT_NAME_CHARS, POLICY_PRIORITY
from reconciler.policy.model import Condition, Delegation, Match, Policy, Subject, Writer

_KINDS: Final = text(chars=OBJECT_KIND_CHARS, least=1)
_NAMES: Final = text(chars=OBJECT_NAME_CHARS, least=1)
_POINTERS: Final = text(pattern="^/")
_SUBJECT: Final = (
    "[has(self.serviceAccount), has(self.user), has(self.group)].filter(given, given).size() == 1",
    "a subject is exactly one of serviceAccount, user, group",
)
# Items of lists of strings, and texts, where they are more than any string.
_FORMS: Final[dict[str, Schema]] = {
    "match.namespaces": text(chars=OBJECT_NAME_CHARS),
    "namedBy": _POINTERS,
    "delegate.paths": _POINTERS,
    "delegate.operations": choice("CREATE", "UPDATE", "DELETE"),
    **dict.fromkeys(("match.kinds", "delegate.kinds", "once"), _KINDS),
    **dict.fromkeys(("match.sources", "match.names", "delegate.names", "trustedMutators"), _NAMES),
    "serviceAccount": text(chars=317, pattern="^[^/]+/[^/]+$"),
    "user": text(chars=1024, least=1),
    "group": text(chars=1024, least=1),
    "delegate.rule": text(chars=OBJECT_NAME_CHARS),
}
_SAYS: Final[dict[str, str]] = {
    "priority": "Highest first; the first policy that matches gives all its settings.",
    "match": "Which objects: one of these; none is all.",
    "match.sources": "Names of GitSources; * and ? as in a shell.",
    "match.kinds": "group/Kind, such as apps/Deployment; ConfigMap of the core group; apps/*; * for all.",
    "match.namespaces": 'A cluster-scoped object has the namespace "".',
    "match.names": "Names of objects; * and ? as in a shell.",
    "match.labels": "Labels as Git declares them; all must be equal.",
    "action": "Deny refuses, Warn admits with a warning, Audit admits and records.",
    "undeclared": "What becomes of content that Git does not declare.",
    "fragment": "Git declares a part of an object that it does not own: only that part is held.",
    "exclusive": "Objects of these kinds that Git does not declare may be neither created nor altered.",
    "onlyWhere": "Which undeclared objects exclusive is about: pointers, and patterns of what stands there.",
    "once": "The policy is there only while Git declares an object of one of these kinds.",
    "namedBy": "With once: pointers to the names that the policy is about.",
    "failurePolicy": "What the API server does while Setscrew does not answer.",
    "undecidable": "What becomes of a request that cannot be judged.",
    "adopt": "When an object that was there before Git declared it is enforced.",
    "descendants": "Audit: people's writes to what controllers derive from the object are recorded.",
    "heal": "Auto: what drifts is put back by Setscrew itself.",
    "trustedMutators": "Webhooks and admission policies whose additions are wanted.",
    "writers": "Identities whose writes are checked by content, or let through and recorded.",
    "writers.verify": "Content: what Git does not explain is refused. None: everything passes and is recorded.",
    "writers.onTimeout": "What becomes of a write that nobody could verify in time.",
    "delegate": "What named identities may write.",
    "delegate.paths": "JSON pointers; * stands for one element, a final ** for all below.",
    "delegate.operations": "UPDATE by default.",
    "delegate.undeclaredOnly": "Only objects that Git does not declare.",
}
_NESTED: Final[dict[Any, str]] = {Match: "match", Writer: "writers", Delegation: "delegate", Subject: ""}


def drift_policy() -> Schema:
    """The schema of its `spec`."""
    properties = of_type(Policy)
    del properties["name"]
    exclusive = (
        "!has(self.exclusive) || !self.exclusive"
        " || (has(self.match) && self.match.exists(one, has(one.kinds) && size(one.kinds) > 0))"
    )
    named = "!has(self.namedBy) || size(self.namedBy) == 0 || (has(self.once) && size(self.once) > 0)"
    return mapping(
        properties,
        **rules(
            (exclusive, "exclusive needs kinds in match"), (named, "namedBy needs once: the kinds that name objects")
        ),
    )


def subject() -> Schema:
    """Whom a policy or a grant names."""
    return mapping(of_type(Subject), **rules(_SUBJECT))


def of_type(kind: type, prefix: str = "") -> dict[str, Schema]:
    """Properties by the fields of a dataclass, under their names in documents."""
    hints = get_type_hints(kind)
    found = {camel(one.name): _of_hint(hints[one.name], f"{prefix}{camel(one.name)}") for one in fields(kind)}
    return {name: said(schema, _SAYS.get(f"{prefix}{name}", "")) for name, schema in found.items()}


def camel(name: str) -> str:
    """The name of a field in documents."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _of_hint(hint: Any, name: str) -> Schema:
    form = _FORMS.get(name) or _FORMS.get(name.rpartition(".")[2], text())
    if hint is bool:
        return {"type": "boolean"}
    if hint is int:
        return {"type": "integer", "format": "int32", "minimum": -POLICY_PRIORITY, "maximum": POLICY_PRIORITY}
    if hint is str:
        return form
    if get_origin(hint) is Literal:
        return choice(*get_args(hint))
    if hint == Condition:
        pointers = ("self.all(key, key.startsWith('/'))", "a key is a JSON pointer")
        return pairs(several(text()), most=10, **rules(pointers))
    if name == "match.labels":
        return pairs(text(chars=LABEL_CHARS))
    item = get_args(hint)[0]
    if item is str:
        return several(form, most=3 if "enum" in form else OBJECT_ENTRIES)
    checked = rules(_SUBJECT) if item is Subject else {}
    prefix = f"{_NESTED[item]}." if _NESTED[item] else ""
    return several(mapping(of_type(item, prefix), **checked))
