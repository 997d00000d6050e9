"""Owns turning an Argo CD Application into sources and ignore rules. No I/O; must not change what it is given."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from reconciler.adopt.argo_credentials import SecretFor, none_for
from reconciler.adopt.argo_ignores import ignores
from reconciler.adopt.argo_source import Application, Part, to_source
from reconciler.adopt.model import ODD, Adopted, Unsupported, unreadable
from reconciler.errors import UsageError
from reconciler.model.tree import dig
from reconciler.policy.model import MaskRule
from reconciler.render.fields import Fields
from reconciler.snapshot.model import Adopter
from reconciler.source.spec import GitSource

GROUP: Final = "argoproj.io"
IN_CLUSTER: Final = frozenset({"in-cluster", "https://kubernetes.default.svc"})
_SKIP: Final = "argocd.argoproj.io/skip-reconcile"


def adopt_argo(
    application: Mapping[str, Any], *, clusters: Collection[str] = (), secret_for: SecretFor = none_for
) -> Adopted:
    """The sources and ignore rules of one Application, and by name what cannot be had of it.

    `clusters` are further names and servers by which Argo CD calls this cluster; `secret_for` gives the Secret for a
    repository's URL. Of several sources the last comes first, since with Argo CD the last to declare an object wins.
    An ApplicationSet and an AppProject come to nothing: the Applications that are made of them count.
    """
    if application.get("kind") != "Application":
        return Adopted()
    by = Adopter("Application", "", "")
    try:
        by = adopter(application)
        return _adopted(application, by, clusters, secret_for)
    except UsageError as error:
        return Adopted(unsupported=(Unsupported(by, error.where, error.message),))
    except ODD as error:
        return unreadable(by, error)


def adopter(application: Mapping[str, Any]) -> Adopter:
    """Who an Application is. Raises UsageError where that is no text."""
    metadata = Fields(application.get("metadata"), "metadata")
    return Adopter("Application", metadata.text("name"), metadata.text("namespace"))


def _adopted(application: Mapping[str, Any], by: Adopter, clusters: Collection[str], secret_for: SecretFor) -> Adopted:
    spec = Fields(application.get("spec"), "spec")
    destination = Fields(spec.mapping("destination"), "spec.destination")
    if why := _not_ours(application, destination, clusters):
        return Adopted(unsupported=(Unsupported(by, "spec.destination", why),))
    suspended = dig(application, "metadata", "annotations", _SKIP) == "true"
    app = Application(by, destination.text("namespace"), spec.text("project") or "default", suspended, secret_for)
    sources, missing = _sources(spec, app)
    names = tuple(source.name for source in sources)
    rules = tuple(ignores(spec.mappings("ignoreDifferences"), by, names, "spec.ignoreDifferences")) if names else ()
    return Adopted(
        sources,
        tuple(rule for rule in rules if isinstance(rule, MaskRule)),
        (*missing, *(one for one in rules if isinstance(one, Unsupported)), *_partly(spec, by)),
    )


def _not_ours(application: Mapping[str, Any], destination: Fields, clusters: Collection[str]) -> str:
    """Why nothing of it is for this cluster; "" if it is."""
    if isinstance(dig(application, "metadata", "deletionTimestamp"), str):
        return "it is being deleted"
    place = destination.text("server").rstrip("/") or destination.text("name")
    if place in IN_CLUSTER or place in clusters:
        return ""
    return f"it is for another cluster: {place}" if place else "it names no cluster"


def _sources(spec: Fields, app: Application) -> tuple[tuple[GitSource, ...], tuple[Unsupported, ...]]:
    """The last source first, and each that cannot be had."""
    parts = list(_parts(spec))
    beside = {part.ref: part for part in parts if part.ref}
    found, missing = list[GitSource](), list[Unsupported]()
    for part in reversed(parts):
        if not part.renders:
            continue
        try:
            found.append(to_source(part, app, beside))
        except UsageError as error:
            missing.append(Unsupported(app.by, error.where, error.message, whole=len(parts) == 1))
    return tuple(found), tuple(reversed(missing))


def _parts(spec: Fields) -> Iterator[Part]:
    """The sources as Argo CD chooses them: those of a hydrator, else `sources`, else `source`."""
    if hydrator := spec.mapping("sourceHydrator"):
        yield Part(_hydrated(Fields(hydrator, "spec.sourceHydrator")), "spec.sourceHydrator.syncSource")
    elif several := spec.mappings("sources"):
        for index, tree in enumerate(several):
            yield Part(tree, f"spec.sources[{index}]", index)
    else:
        yield Part(spec.mapping("source"), "spec.source")


def _hydrated(hydrator: Fields) -> Mapping[str, Any]:
    """Where the rendered manifests are pushed to, as a source."""
    synced = Fields(hydrator.mapping("syncSource"), hydrator.at("syncSource"))
    dry = Fields(hydrator.mapping("drySource"), hydrator.at("drySource"))
    return {
        "repoURL": synced.text("repoURL") or dry.text("repoURL"),
        "targetRevision": synced.text("targetBranch"),
        "path": synced.text("path"),
    }


def _partly(spec: Fields, by: Adopter) -> Iterator[Unsupported]:
    """What Argo CD keeps besides the objects of the sources."""
    policy = Fields(spec.mapping("syncPolicy"), "spec.syncPolicy")
    if policy.mapping("managedNamespaceMetadata"):
        reason = "labels and annotations that Argo CD gives the namespace are not held: declare the Namespace in Git"
        yield Unsupported(by, policy.at("managedNamespaceMetadata"), reason, whole=False)
