"""Owns the schema of a GitSource, of what its reader takes. Must not know other kinds."""

from __future__ import annotations

from typing import Any

from crds.words import LABEL_CHARS, NO_NUL, Schema, choice, duration, flag, mapping, pairs, rules, secret, several, text
from reconciler.limits import OBJECT_ENTRIES, OBJECT_ENTRIES_MOST, OBJECT_NAME_CHARS
from reconciler.render.spec import KINDS, TOOLS
from reconciler.source import fields as source_fields
from reconciler.source import spec as source_spec


def git_source() -> Schema:
    """The schema of its `spec`."""
    path = "!self.startsWith('/') && !self.split('/').exists(part, part == '..' || part == '.git')"
    patterns = several(text(pattern=NO_NUL), most=OBJECT_ENTRIES_MOST)
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
                pattern=NO_NUL,
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


def _render() -> Schema:
    name, plain = text(least=1, pattern="^[^=]+$"), text(pattern=NO_NUL)
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
            "namespace": text(chars=LABEL_CHARS, says="Of the release, and of namespaced objects that name none."),
            "releaseNamespace": text(chars=LABEL_CHARS, says="Helm: of the release, where it is another."),
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
            "kubeVersion": text(chars=LABEL_CHARS, says="What a chart is told; by default the cluster's."),
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


def _ref_name(says: str, **more: Any) -> Schema:
    valid = (f"!self.matches(r'{source_spec.BAD_REF.pattern}')", "is no valid name of a ref")
    short = (f"size(bytes(self)) <= {source_spec.REF_BYTES}", f"a ref is at most {source_spec.REF_BYTES} bytes")
    return text(chars=source_spec.REF_BYTES, least=1, says=says, **more, **rules(valid, short))


def _relative(says: str = "", *, most: int = OBJECT_ENTRIES) -> Schema:
    inside = ("self.all(one, !one.contains('://'))", "a path is relative to spec.path")
    return several(text(least=1, pattern=r"^[^/\x00][^\x00]*$"), most=most, says=says, **rules(inside))
