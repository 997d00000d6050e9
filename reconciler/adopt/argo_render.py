"""Owns what an Application's source says about rendering, in our words: `spec.render` of a GitSource. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from typing import Any, Final

from reconciler.adopt.argo_env import Environment, environment
from reconciler.errors import UsageError
from reconciler.render.fields import Fields

_KINDS: Final = {"helm": "Helm", "kustomize": "Kustomize", "directory": "YAML"}
_GLOB: Final = frozenset("*?[{")
# As they stand there, and nothing else: what is new in Argo CD must not pass unseen.
_KUSTOMIZE: Final = (
    "namePrefix",
    "nameSuffix",
    "namespace",
    "replicas",
    "patches",
    "components",
    "ignoreMissingComponents",
    "forceCommonLabels",
    "labelWithoutSelector",
    "labelIncludeTemplates",
    "forceCommonAnnotations",
)


def rendering(
    source: Mapping[str, Any], where: str, name: str, namespace: str, project: str, beside: Collection[str]
) -> dict[str, Any]:
    """The `render` of one source of the Application `name`, whose destination is `namespace`.

    `beside` are the refs that value files may name. Raises UsageError for what cannot be had, `where` its field.
    """
    fields = Fields(source, where)
    kinds = [key for key in _KINDS if fields.any(key) is not None]
    if len(kinds) > 1:
        raise UsageError(f"{' and '.join(kinds)} at once", where=where)
    found: dict[str, Any] = {"kind": _KINDS[kinds[0]] if kinds else "Auto", "tool": "ArgoCD", "releaseName": name}
    found |= {"namespace": namespace} if namespace else {}
    found["unread"] = [".argocd-source.yaml", f".argocd-source-{name}.yaml"]
    path = fields.text("path")
    env = environment(
        name=name,
        namespace=namespace,
        project=project,
        url=fields.text("repoURL"),
        path=path,
        revision=fields.text("targetRevision"),
    )
    if kinds == ["helm"]:
        found |= _helm(Fields(fields.any("helm"), f"{where}.helm"), env, path, beside)
    elif kinds == ["kustomize"]:
        found["kustomize"] = _kustomize(Fields(fields.any("kustomize"), f"{where}.kustomize"), env)
    elif kinds == ["directory"]:
        found |= _directory(Fields(fields.any("directory"), f"{where}.directory"))
    return _said(found)


def _said(found: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty or off; one switch is on unless it is off."""
    return {key: value for key, value in found.items() if value not in ("", [], {}, False) or key == "includeCRDs"}


def _helm(fields: Fields, env: Environment, path: str, beside: Collection[str]) -> dict[str, Any]:
    if fields.text("version") not in ("", "v3"):
        raise fields.wrong("version", "only Helm 3 and 4 render alike")
    fields.flag("passCredentials")  # for repositories of charts, which are not fetched
    fields.flag("skipTests")  # tests are hooks, and those are left out anyway
    values, text = fields.mapping("valuesObject"), fields.text("values")
    found = {
        "releaseNamespace": fields.text("namespace"),
        "valueFiles": [_value_file(one, fields, env, path, beside) for one in fields.strings("valueFiles")],
        "ignoreMissingValueFiles": fields.flag("ignoreMissingValueFiles"),
        "values": values or text,
        "parameters": [_parameter(one, fields.at("parameters"), env) for one in fields.mappings("parameters")],
        "fileParameters": [
            _file_parameter(one, fields.at("fileParameters"), env, path) for one in fields.mappings("fileParameters")
        ],
        "skipSchemaValidation": fields.flag("skipSchemaValidation"),
        "includeCRDs": not fields.flag("skipCrds"),
        "kubeVersion": fields.text("kubeVersion"),
        "apiVersions": [*fields.strings("apiVersions")],
    }
    if release := fields.text("releaseName"):
        found["releaseName"] = release
    fields.done()
    return found


def _value_file(file: str, fields: Fields, env: Environment, path: str, beside: Collection[str]) -> str:
    ref, slash, rest = file.removeprefix("$").partition("/")
    if file.startswith("$") and slash and ref in beside:
        rest = env.expand(rest, fields.at("valueFiles"))
        return f"${ref}/{_plain(rest, fields, 'valueFiles')}"
    if file.startswith("$") and slash and "ARGOCD_" not in ref:
        raise fields.wrong("valueFiles", f"no source has the ref {ref!r}")
    return _local(env.expand(file, fields.at("valueFiles")), fields, "valueFiles", path)


def _local(file: str, fields: Fields, key: str, path: str) -> str:
    """A file from the source's path; a leading slash stands for the root of the repository."""
    plain = _plain(file, fields, key)
    return posixpath.relpath(posixpath.normpath(plain.lstrip("/")), path or ".") if plain.startswith("/") else plain


def _plain(file: str, fields: Fields, key: str) -> str:
    if "://" in file:
        raise fields.wrong(key, f"{file!r} is not in the repository")
    if _GLOB & set(file):
        raise fields.wrong(key, f"{file!r} is a pattern; name the files")
    return file


def _parameter(one: Mapping[str, Any], where: str, env: Environment) -> dict[str, Any]:
    fields = Fields(one, where)
    found = {
        "name": fields.text("name"),
        "value": env.expand(fields.text("value"), fields.at("value")),
        "forceString": fields.flag("forceString"),
    }
    fields.done()
    return found


def _file_parameter(one: Mapping[str, Any], where: str, env: Environment, path: str) -> dict[str, Any]:
    fields = Fields(one, where)
    found = {
        "name": fields.text("name"),
        "path": _local(env.expand(fields.text("path"), fields.at("path")), fields, "path", path),
    }
    fields.done()
    return found


def _kustomize(fields: Fields, env: Environment) -> dict[str, Any]:
    found = {key: value for key in _KUSTOMIZE if (value := fields.any(key)) is not None}
    for key in ("version", "kubeVersion", "apiVersions"):  # which kustomize, and what its charts are told
        fields.any(key)
    expand = fields.flag("commonAnnotationsEnvsubst")
    found["images"] = [env.expand(one, fields.at("images")) for one in fields.strings("images")]
    found["commonLabels"] = {
        key: env.expand(text, fields.at("commonLabels")) for key, text in fields.texts("commonLabels").items()
    }
    found["commonAnnotations"] = {
        key: env.expand(text, fields.at("commonAnnotations")) if expand else text
        for key, text in fields.texts("commonAnnotations").items()
    }
    fields.done()
    return _said(found)


def _directory(fields: Fields) -> dict[str, Any]:
    jsonnet = fields.mapping("jsonnet")
    if any(jsonnet.values()):
        raise fields.wrong("jsonnet", "jsonnet is not evaluated")
    if fields.any("requireJsonOrYamlExtension") is False or fields.flag("disableExtensionFilter"):
        raise fields.wrong("requireJsonOrYamlExtension", "files without such a name are not read as manifests")
    found = {"recurse": fields.flag("recurse"), "include": fields.text("include"), "exclude": fields.text("exclude")}
    fields.done()
    return found
