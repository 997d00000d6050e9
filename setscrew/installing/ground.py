"""Owns learning what a cluster is like before it is installed into. Must change nothing: reads, questions, dry-runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

from reconciler.limits import API_CONNECTIONS
from reconciler.model.own import NAMESPACE, REGISTRATION
from setscrew.doctor.look_cluster import look_skew
from setscrew.doctor.rights import Right
from setscrew.installing.objects import Document, ref_of
from setscrew.installing.preflight import Ground
from setscrew.installing.server import Server
from setscrew.installing.settings import images
from setscrew.installing.trying import tried
from webhook.registration.apply import current, whoami

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_DEPLOYMENT: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{REGISTRATION}"
# Rights are asked by resource, also of kinds that are not served yet: those are ours.
_VERBS: Final = ("create", "patch")


def survey(server: Server, documents: Sequence[Document], *, registers: bool, force: bool = False) -> Ground:
    """All that `preflight.checks` judges. Raises ClusterError."""
    client = server.client
    namespaces = [ref_of(tree).name for tree in documents if tree["kind"] == "Namespace"]
    found = {name: server.get(f"/api/v1/namespaces/{name}") for name in namespaces}
    definitions = [tree for tree in documents if tree["kind"] == "CustomResourceDefinition"]
    live = [(server.read(ref_of(tree)), tree) for tree in definitions]
    return Ground(
        version=server.served.version,
        user=whoami(client),
        skew=look_skew(client, lambda: datetime.now(UTC)),
        refused=_refused(server, documents),
        namespaces={name: one for name, one in found.items() if one is not None},
        registration=current(client),
        deployment=server.get(_DEPLOYMENT),
        down=dict(server.served.unavailable),
        tried=list(tried(server, documents, force=force)),
        definitions=[(before, wanted) for before, wanted in live if before is not None],
        images=frozenset(images(documents)),
        registers=registers,
    )


def _refused(server: Server, documents: Sequence[Document]) -> list[Right]:
    asked = list(dict.fromkeys(_rights(server, documents)))

    def allowed(right: Right) -> bool:
        answer = server.client.request("POST", _REVIEWS, right.review())
        return bool((answer.get("status") or {}).get("allowed"))

    with ThreadPoolExecutor(API_CONNECTIONS) as pool:
        return [right for right, is_allowed in zip(asked, pool.map(allowed, asked), strict=True) if not is_allowed]


def _rights(server: Server, documents: Sequence[Document]) -> Iterator[Right]:
    coming = dict(_coming(documents))
    for tree in documents:
        ref = ref_of(tree)
        kind = server.kind(str(tree["apiVersion"]), ref.kind)
        resource = kind.resource if kind is not None else coming.get((ref.group, ref.kind))
        if resource is None:
            continue  # a kind that nobody serves: the dry-run says so
        for verb in _VERBS:
            name = "" if verb == "create" else ref.name
            yield Right(verb, ref.group, resource, name, ref.namespace, purpose="install")


def _coming(documents: Sequence[Document]) -> Iterator[tuple[tuple[str, str], str]]:
    for tree in documents:
        if tree["kind"] == "CustomResourceDefinition":
            names = tree["spec"]["names"]
            yield (str(tree["spec"]["group"]), str(names["kind"])), str(names["plural"])
