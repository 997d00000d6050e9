"""Writes manifests/crds/ from the code's own types, choices, forms and limits: `python tools/generate_crds.py`.

tests/unit/policy/test_generated_definitions.py fails while files and code differ, or where a field of a reader has no
schema; tests/integration/test_own_definitions.py holds that the API server takes just what the readers take.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import yaml

from reconciler.limits import (
    GRANT_ENTRIES,
    GRANT_HOURS,
    GRANT_TEXT_CHARS,
    OBJECT_ENTRIES,
    OBJECT_ENTRIES_MOST,
    OBJECT_KIND_CHARS,
    OBJECT_NAME_CHARS,
    OBJECT_TEXT_CHARS,
    POLICY_PRIORITY,
)
from reconciler.model.own import GROUP, LEVERS, VERSION
from reconciler.policy import granting
from reconciler.policy.model import Condition, Delegation, Match, Policy, Subject, Writer
from reconciler.render.spec import KINDS, TOOLS
from reconciler.source import fields as source_fields
from reconciler.source import spec as source_spec

DIRECTORY: Final = Path(__file__).resolve().parents[1] / "manifests" / "crds"
SHORT: Final = {"GitSource": "gsrc", "DriftPolicy": "dpol", "DriftGrant": "dgrant"}
STATES: Final = ("Waiting", "InForce", "Ended", "Revoked", "Refused")
MODES: Final = ("Enforced", "Watched", "New", "Held", "Suspended")
# What only files say: written by adoption, never by hand.
FILES_ONLY: Final = {"render.flux"}
Schema = dict[str, Any]

_LABEL_CHARS: Final = 63
_NO_NUL: Final = r"^[^\x00]*$"
_LINE: Final = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
_DURATION: Final = r"^([0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s)$"
_GO_DURATION: Final = r"^[+]?(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|ms|s|m|h))+$"
_HEAD: Final = "# Written by tools/generate_crds.py from the code's own types, forms and limits; do not edit.\n"


def text(*, chars: int = OBJECT_TEXT_CHARS, least: int = 0, says: str = "", **more: Any) -> Schema:
    """A string."""
    return _said({"type": "string", **({"minLength": least} if least else {}), "maxLength": chars, **more}, says)


def flag(says: str = "") -> Schema:
    """True or false."""
    return _said({"type": "boolean"}, says)


def several(items: Schema, *, most: int = OBJECT_ENTRIES, least: int = 0, says: str = "", **more: Any) -> Schema:
    """A list."""
    return _said(
        {"type": "array", **({"minItems": least} if least else {}), "maxItems": most, "items": items, **more}, says
    )


def mapping(properties: dict[str, Schema], *, required: tuple[str, ...] = (), says: str = "", **more: Any) -> Schema:
    """A mapping with these keys."""
    wanted = {"required": list(required)} if required else {}
    return _said({"type": "object", **wanted, **more, "properties": properties}, says)


def pairs(values: Schema, *, most: int = OBJECT_ENTRIES, says: str = "", **more: Any) -> Schema:
    """A mapping with any keys."""
    return _said({"type": "object", "maxProperties": most, "additionalProperties": values, **more}, says)


def rules(*found: tuple[str, str]) -> Schema:
    """CEL rules with their messages."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in found]}


def choice(*values: str, says: str = "") -> Schema:
    """One of these words."""
    return _said({"type": "string", "enum": list(values)}, says)


def _said(schema: Schema, says: str) -> Schema:
    return {"description": says, **schema} if says else schema


def duration(says: str) -> Schema:
    """Whole seconds, or text such as 1h30m."""
    positive = "type(self) == string ? self.matches('[1-9]') : self > 0"
    return {
        "description": says,
        "x-kubernetes-int-or-string": True,
        "pattern": _DURATION,
        **rules((positive, "a duration is more than nothing")),
    }


def time(says: str) -> Schema:
    """An instant."""
    return {"description": says, "type": "string", "format": "date-time", "maxLength": 40}


def secret(says: str) -> Schema:
    """A Secret by its name."""
    form = f"^{source_fields.SECRET_NAME.pattern}$"
    return mapping({"name": text(chars=OBJECT_NAME_CHARS, pattern=form)}, required=("name",), says=says)


def _ref_name(says: str, **more: Any) -> Schema:
    valid = (f"!self.matches(r'{source_spec.BAD_REF.pattern}')", "is no valid name of a ref")
    short = (f"size(bytes(self)) <= {source_spec.REF_BYTES}", f"a ref is at most {source_spec.REF_BYTES} bytes")
    return text(chars=source_spec.REF_BYTES, least=1, says=says, **more, **rules(valid, short))


def _relative(says: str = "", *, most: int = OBJECT_ENTRIES) -> Schema:
    inside = ("self.all(one, !one.contains('://'))", "a path is relative to spec.path")
    return several(text(least=1, pattern=r"^[^/\x00][^\x00]*$"), most=most, says=says, **rules(inside))


def _kustomize() -> Schema:
    templates = (
        "!has(self.labelIncludeTemplates) || !self.labelIncludeTemplates || !has(self.commonLabels)"
        " || size(self.commonLabels) == 0 || (has(self.labelWithoutSelector) && self.labelWithoutSelector)"
    )
    count = {"x-kubernetes-int-or-string": True, "minimum": 0, "pattern": "^[0-9]+$"}
    replica = mapping({"name": text(least=1), "count": count}, required=("name", "count"))
    whatever = {"x-kubernetes-preserve-unknown-fields": True}
    return mapping(
        {
            **{name: text(chars=OBJECT_NAME_CHARS) for name in ("namePrefix", "nameSuffix", "namespace")},
            "images": several(
                whatever, says="name=new:tag, name:tag, name@digest, or mappings of name, newName, newTag, digest."
            ),
            "replicas": several(replica),
            "patches": several({"type": "object", **whatever}),
            "components": several(text(least=1)),
            "ignoreMissingComponents": flag(),
            "commonLabels": pairs(text()),
            "forceCommonLabels": flag(),
            "labelWithoutSelector": flag(),
            "labelIncludeTemplates": flag(),
            "commonAnnotations": pairs(text()),
            "forceCommonAnnotations": flag(),
        },
        says="Changes of the kustomization at path before it is built, as kustomize edit would make them.",
        **rules((templates, "labelIncludeTemplates needs labelWithoutSelector")),
    )


def _render() -> Schema:
    name, plain = text(least=1, pattern="^[^=]+$"), text(pattern=_NO_NUL)
    path = text(
        least=1, pattern=r"^[^/\x00][^\x00]*$", **rules(("!self.contains('://')", "a path is relative to spec.path"))
    )
    return mapping(
        {
            "kind": choice(
                *KINDS, says="Auto: a Chart.yaml makes it Helm, a kustomization Kustomize, else plain YAML."
            ),
            "tool": choice(
                *filter(None, TOOLS), says="Whose habits hold: hooks, what is passed over or declared twice."
            ),
            "releaseName": text(chars=53, says="Helm: the release; by default the chart's name."),
            "namespace": text(chars=_LABEL_CHARS, says="Of the release, and of namespaced objects that name none."),
            "releaseNamespace": text(chars=_LABEL_CHARS, says="Helm: of the release, where it is another."),
            "valueFiles": _relative("Helm: relative to path, inside the repository; a later one wins."),
            "ignoreMissingValueFiles": flag("A value file that is not there is passed over."),
            "values": {
                "description": "Helm: after the value files.",
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
            },
            "parameters": several(
                mapping({"name": name, "value": plain, "forceString": flag()}, required=("name",)),
                says="Helm: as --set takes them, after values.",
            ),
            "fileParameters": several(
                mapping({"name": name, "path": path}, required=("name", "path")), says="Helm: texts of files as values."
            ),
            "skipSchemaValidation": flag("Helm: values.schema.json is not asked."),
            "isUpgrade": flag("Helm: .Release.IsUpgrade in place of .Release.IsInstall."),
            "kubeVersion": text(chars=_LABEL_CHARS, says="What a chart is told; by default the cluster's."),
            "apiVersions": several(
                text(chars=512, least=1), most=OBJECT_ENTRIES_MOST, says="What a chart is told besides."
            ),
            "includeCRDs": flag("Helm: whether crds/ is declared; true by default."),
            "recurse": flag("Plain YAML: subdirectories too."),
            "include": text(says="Plain YAML: a glob over paths below path."),
            "exclude": text(says="Plain YAML: a glob over paths below path."),
            "kustomize": _kustomize(),
            "unread": several(
                text(least=1), says="Names of files at path that another tool would read: then the render fails."
            ),
        },
        says="How what stands there becomes objects.",
    )


def _git_source() -> Schema:
    path = "!self.startsWith('/') && !self.split('/').exists(part, part == '..' || part == '.git')"
    patterns = several(text(pattern=_NO_NUL), most=OBJECT_ENTRIES_MOST)
    tagged = (
        "!has(self.verify) || !has(self.verify.mode) || !self.verify.mode.startsWith('Tag')"
        " || (has(self.ref) && !has(self.ref.commit) && (has(self.ref.name)"
        " ? self.ref.name.startsWith('refs/tags/') : has(self.ref.semver) || has(self.ref.tag)))"
    )
    never = {"type": "boolean", "enum": [False]}
    return mapping(
        {
            "url": text(
                pattern=f"^{source_fields.REMOTE.pattern}$", says="https://… or ssh://user@host/…, without a password."
            ),
            "ref": mapping(
                {
                    "branch": _ref_name("A branch."),
                    "tag": _ref_name("A tag."),
                    "semver": text(chars=256, least=1, pattern=r"\S", says="The highest tag of a range of versions."),
                    "name": _ref_name("A ref by its full name, such as refs/pull/4/head.", pattern="^refs/"),
                    "commit": text(
                        chars=64, pattern=f"^({source_spec.COMMIT.pattern})$", says="One commit, by its full id."
                    ),
                },
                says="Of several, the first of commit, name, semver, tag, branch; none is the remote's default branch.",
            ),
            "path": text(
                pattern=_NO_NUL,
                says="Relative to the repository's root; empty is the root.",
                **rules((path, "relative to the repository's root, without ..")),
            ),
            "paths": {
                "description": "What comes along beside path, as gitignore writes patterns; empty is all.",
                **patterns,
            },
            "ignore": {"description": "What is as if it were not there, as gitignore writes patterns.", **patterns},
            "render": _render(),
            "interval": duration("How often Git is asked without a push, as in 5m, 1h30m, or seconds."),
            "timeout": duration("How long one fetch may take, as in 60s, 2m, or seconds."),
            "suspend": flag("The source is not read; what was enforced of it stays enforced."),
            "secretRef": secret("Credentials, in the namespace of Setscrew itself."),
            "proxySecretRef": secret("An HTTP proxy: address, username and password."),
            "verify": mapping(
                {"mode": choice(*source_spec.MODES), "secretRef": secret("The keys that may sign.")},
                required=("secretRef",),
                says="Whose signatures a revision must carry.",
            ),
            "requireFastForward": flag(
                "A revision that does not descend from the last one is held until somebody confirms it."
            ),
            "allowPrivateHosts": flag("The host may be this machine, or an address of the link alone."),
            "recurseSubmodules": {"description": "Submodules are not fetched.", **never},
            "lfs": {"description": "Files of Git LFS are not fetched.", **never},
            "adoptedBy": mapping(
                {"kind": choice(*source_spec.ADOPTERS), "name": text(least=1), "namespace": text()},
                required=("kind", "name"),
                says="What applies the source to the cluster; its marks may be written by anyone, with its name.",
            ),
        },
        required=("url",),
        **rules((tagged, "a mode of tags needs a source that follows a tag: set ref.tag or ref.semver")),
    )


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


def of_type(kind: type, prefix: str = "") -> dict[str, Schema]:
    """Properties by the fields of a dataclass, under their names in documents."""
    hints = get_type_hints(kind)
    found = {camel(one.name): _of_hint(hints[one.name], f"{prefix}{camel(one.name)}") for one in fields(kind)}
    return {name: _said(schema, _SAYS.get(f"{prefix}{name}", "")) for name, schema in found.items()}


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
        return pairs(text(chars=_LABEL_CHARS))
    item = get_args(hint)[0]
    if item is str:
        return several(form, most=3 if "enum" in form else OBJECT_ENTRIES)
    checked = rules(_SUBJECT) if item is Subject else {}
    prefix = f"{_NESTED[item]}." if _NESTED[item] else ""
    return several(mapping(of_type(item, prefix), **checked))


def _drift_policy() -> Schema:
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


def _drift_grant() -> Schema:
    hours, line = f'duration("{GRANT_HOURS}h")', text(chars=GRANT_TEXT_CHARS, least=1, pattern=_LINE)
    most = f"a grant holds for {GRANT_HOURS} hours at most"
    word = {"most": GRANT_ENTRIES}
    given = " || ".join(
        f"(has(self.{one}) && size(self.{one}) > 0)" for one in ("refs", "kinds", "namespaces", "paths")
    )
    scope = mapping(
        {
            "refs": several(
                text(chars=GRANT_TEXT_CHARS, pattern=granting.REF_FORM),
                **word,
                says="Objects as denials name them; * and ? as in a shell.",
            ),
            "kinds": several(
                text(chars=OBJECT_KIND_CHARS, pattern=granting.KIND_FORM), **word, says="Kinds, as in policies."
            ),
            "namespaces": several(
                text(chars=OBJECT_NAME_CHARS, pattern=r"^\S*$"), **word, says="Patterns of namespaces."
            ),
            "paths": several(
                text(chars=GRANT_TEXT_CHARS, pattern=r"^[/$.\[]"),
                **word,
                says="Pointers, or restricted JSONPath; then no DELETE is covered.",
            ),
        },
        says="An empty field covers all; a scope with paths covers no DELETE.",
        **rules((given, 'a grant is for something; kinds ["*"] is everything')),
    )
    within = (
        "!has(self.notBefore) || !has(self.notAfter)"
        f" || (self.notBefore < self.notAfter && self.notAfter - self.notBefore <= {hours})"
    )
    stays = " && ".join(f"self.{one} == oldSelf.{one}" for one in ("subjects", "scope", "reason", "approver"))
    return mapping(
        {
            "subjects": several(
                mapping(of_type(Subject), **rules(_SUBJECT)), most=GRANT_ENTRIES, least=1, says="Who may leave Git."
            ),
            "scope": scope,
            "reason": {"description": "Why, in one line.", **line},
            "approver": {"description": "Who said yes: nobody whom subjects name.", **line},
            "notBefore": time("When it begins; by default when it is made."),
            "notAfter": time("When it ends; or duration."),
            "duration": {
                "description": "After how long it ends; or notAfter.",
                "type": "string",
                "maxLength": 20,
                "pattern": _GO_DURATION,
                **rules((f'duration(self) >= duration("1s") && duration(self) <= {hours}', most)),
            },
            "revoked": {"description": "Why it is over before its time. It cannot be taken back.", **line},
        },
        required=("subjects", "scope", "reason", "approver"),
        **rules(
            ("has(self.notAfter) != has(self.duration)", "a grant ends, either notAfter a time or after a duration"),
            (within, most),
            (stays, "who and what stay as they are; make another grant"),
            (
                "has(oldSelf.notBefore) == has(self.notBefore)"
                " && (!has(self.notBefore) || self.notBefore == oldSelf.notBefore)",
                "the beginning stays as it is; make another grant",
            ),
            (
                "!has(oldSelf.duration) || (has(self.duration) && self.duration == oldSelf.duration)",
                "a duration stays as it is; make another grant",
            ),
            (
                "!has(oldSelf.notAfter) || (has(self.notAfter) && self.notAfter <= oldSelf.notAfter)",
                "a grant may end sooner, never later; make another grant",
            ),
            (
                "!has(oldSelf.revoked) || (has(self.revoked) && self.revoked == oldSelf.revoked)",
                "what is revoked stays so; make another grant",
            ),
        ),
    )


def _status(**properties: Schema) -> Schema:
    condition = mapping(
        {
            "type": text(chars=63, least=1),
            "status": choice("True", "False", "Unknown"),
            "observedGeneration": {"type": "integer", "format": "int64"},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "reason": text(chars=OBJECT_TEXT_CHARS, least=1, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
            "message": text(),
        },
        required=("type", "status", "lastTransitionTime", "reason", "message"),
    )
    listed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    generation = {"type": "integer", "format": "int64", "description": "The generation that this is about."}
    return mapping(
        {"observedGeneration": generation, **properties, "conditions": several(condition, most=10, **listed)},
        says="What Setscrew says of it; nobody else writes it.",
    )


def _count(says: str) -> Schema:
    return {"description": says, "type": "integer", "format": "int64"}


_STATUS: Final = {
    "GitSource": _status(
        mode=choice(*MODES, says="Whether what it declares is enforced, only watched, or as it was."),
        ref=text(says="What of the repository is followed."),
        revision=text(says="What is enforced, branch@sha1:…"),
        commit=text(chars=64, says="The commit that is enforced."),
        lastFetched=time("When its newest revision could last be read."),
        objects=_count("How many objects it declares."),
        signer=text(says="Who signed what is enforced."),
    ),
    "DriftPolicy": _status(objects=_count("How many guarded objects have their settings from it.")),
    "DriftGrant": _status(
        state=choice(*STATES),
        until=time("When it ends."),
        subjects=text(says="Whom it is for, in words."),
        scope=text(says="What it covers, in words."),
        revoked=time("Since when it is revoked."),
        revokedFor=text(says="Why."),
    ),
}


_LABEL: Final = 'size(self.metadata.name) <= 63 && !self.metadata.name.contains(".")'
_READY: Final = '.status.conditions[?(@.type=="Ready")]'
Column = tuple[str, str, str] | tuple[str, str, str, int]
_COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    "GitSource": (
        ("URL", "string", ".spec.url"),
        ("Ref", "string", ".status.ref"),
        ("Revision", "string", ".status.revision"),
        ("Mode", "string", ".status.mode"),
        ("Ready", "string", f"{_READY}.status"),
        ("Age", "date", ".metadata.creationTimestamp"),
        ("Reason", "string", f"{_READY}.reason", 1),
        ("Path", "string", ".spec.path", 1),
        ("Objects", "integer", ".status.objects", 1),
        ("Fetched", "date", ".status.lastFetched", 1),
        ("Message", "string", f"{_READY}.message", 1),
    ),
    "DriftPolicy": (
        ("Action", "string", ".spec.action"),
        ("Priority", "integer", ".spec.priority"),
        ("Failure", "string", ".spec.failurePolicy"),
        ("Objects", "integer", ".status.objects"),
        ("Ready", "string", f"{_READY}.status"),
        ("Age", "date", ".metadata.creationTimestamp"),
        ("Undeclared", "string", ".spec.undeclared", 1),
        ("Message", "string", f"{_READY}.message", 1),
    ),
    "DriftGrant": (
        ("Subjects", "string", ".status.subjects"),
        ("Scope", "string", ".status.scope"),
        ("State", "string", ".status.state"),
        ("Until", "string", ".status.until"),
        ("Approver", "string", ".spec.approver"),
        ("Age", "date", ".metadata.creationTimestamp"),
        ("Reason", "string", ".spec.reason", 1),
        ("Message", "string", f"{_READY}.message", 1),
    ),
}
_KINDS_SAY: Final = {
    "GitSource": "A Git repository, a ref and a path, and how to render what stands there.",
    "DriftPolicy": "Which objects are guarded, how, and who may write what.",
    "DriftGrant": f"Permission for named subjects to drift within a scope until it ends, {GRANT_HOURS} hours at most.",
}
_NAMED: Final = {"GitSource": "a source", "DriftGrant": "a grant"}


def specs() -> dict[str, Schema]:
    """The schema of each kind's `spec`."""
    return {"GitSource": _git_source(), "DriftPolicy": _drift_policy(), "DriftGrant": _drift_grant()}


def definition(kind: str) -> Schema:
    """The CustomResourceDefinition of one of our kinds."""
    (plural,) = (resource for resource, one in LEVERS.items() if one == kind)
    checked = rules((_LABEL, f"the name of {_NAMED[kind]} is a DNS label")) if kind in _NAMED else {}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    columns = [
        {"name": name, "type": form, "jsonPath": path, **({"priority": more[0]} if more else {})}
        for name, form, path, *more in _COLUMNS[kind]
    ]
    properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    whole = {"spec": specs()[kind], "status": _STATUS[kind]}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {
            "openAPIV3Schema": mapping({**properties, **whole}, required=("spec",), says=_KINDS_SAY[kind], **checked)
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {**names, "shortNames": [SHORT[kind]], "categories": ["setscrew"]},
            "versions": [version],
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes shared parts out each time, and on one line what fits there."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style)
        wide = sum(len(str(one)) + 4 for pair in mapping.items() for one in pair)
        node.flow_style = bool(node.flow_style) and wide < 100
        return node


def files() -> dict[Path, str]:
    """What each file holds."""
    found = {}
    for kind in _COLUMNS:
        made = definition(kind)
        name = made["metadata"]["name"].partition(".")[0]
        body = yaml.dump(made, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=118, allow_unicode=True)
        found[DIRECTORY / f"{name}.yaml"] = _HEAD + body
    return found


if __name__ == "__main__":
    for file, content in files().items():
        file.write_text(content, "utf-8")
