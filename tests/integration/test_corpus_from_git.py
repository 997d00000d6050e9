"""What other projects publish, pushed to a real Git host and read back as each tool's definitions ask for it.

The host wants a password and has a certificate of its own authority; what was rendered is held to direct calls of
helm and kubectl.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.adopt.argo_credentials import LABEL, REPOSITORY, repository_secret
from reconciler.errors import SourceError
from reconciler.loop.reading import Good, Reader
from reconciler.model.own import API_VERSION
from reconciler.render.spec import NO_CLUSTER, RenderTools
from reconciler.source.files import SecretFiles
from reconciler.source.spec import GitSource, parse_source
from setscrew.adoption import adopted
from setscrew.controlplane import ensure
from tests.support.corpus import CORPUS, Entry, entries
from tests.support.direct import Direct, check_same, helm, kustomize
from tests.support.git_http import GitHttp
from tests.support.git_site import Work

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PUSHED = ("argo-cd", "sveltos", "kueue", "gpu-operator")
PASSWORD = "correct-horse-battery"
CREDENTIALS = {"username": "dana", "password": PASSWORD}
PROJECTS = [one for one in entries() if one.id in (*PUSHED, "corpora")]


@dataclass(frozen=True, slots=True)
class Host:
    """The Git host with everything in one repository, at `commit`."""

    server: GitHttp
    commit: str

    @property
    def url(self) -> str:
        """The repository's."""
        return self.server.url()

    @property
    def keys(self) -> dict[str, str]:
        """The Secret for it."""
        return {**CREDENTIALS, "ca.crt": self.server.ca.decode()}


@pytest.fixture(scope="module")
def tools() -> RenderTools:
    found = ensure(["kubectl", "helm"])
    return RenderTools(found.path("helm"), found.path("kubectl"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    place = tmp_path_factory.mktemp("host")
    with GitHttp(place / "served", users={"dana": PASSWORD}) as server:
        work = Work.of(server.create(), place / "work").over(server.url(), "dana", PASSWORD, server.ca)
        work.git(f"--work-tree={CORPUS}", "add", "--force", "--", *PUSHED)
        work.git("commit", "--quiet", "--message", "What others publish")
        work.git("push", "--quiet", "origin", "main")
        yield Host(server, work.git("rev-parse", "HEAD"))


# ------------------------------------------------------------------------------------ one project, three definitions


def by_git_source(entry: Entry, url: str) -> GitSource:
    spec = {
        "url": url,
        "ref": {"branch": "main"},
        "path": entry.path,
        "secretRef": {"name": "deploy"},
        "render": {"namespace": entry.namespace},
    }
    return parse_source(definition(API_VERSION, "GitSource", "", entry.name, spec))


def by_argo_cd(entry: Entry, url: str) -> GitSource:
    spec = {
        "project": "default",
        "destination": {"server": "https://kubernetes.default.svc", "namespace": entry.namespace},
        "source": {"repoURL": url, "targetRevision": "main", "path": entry.path},
    }
    application = definition("argoproj.io/v1alpha1", "Application", "argocd", "shop", spec)
    labelled = {"name": "deploy", "namespace": "argocd", "labels": {LABEL: REPOSITORY}}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in {"url": url, **CREDENTIALS}.items()}
    return only_source([application], {"metadata": labelled, "data": data})


def by_flux(entry: Entry, url: str) -> GitSource:
    reference = {"kind": "GitRepository", "name": "deploy"}
    secret = {"secretRef": {"name": "deploy"}}
    repository = flux("source", "GitRepository", {"url": url, "interval": "1m", "ref": {"branch": "main"}, **secret})
    if entry.kind == "helm":
        chart = {"spec": {"chart": f"./{entry.path}", "sourceRef": reference}}
        return only_source([repository, flux("helm", "HelmRelease", {"chart": chart, "targetNamespace": "tenant"})])
    spec = {"sourceRef": reference, "path": f"./{entry.path}", "prune": True, "targetNamespace": "tenant"}
    return only_source([repository, flux("kustomize", "Kustomization", spec)])


def flux(group: str, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    version = f"{group}.toolkit.fluxcd.io/{'v2' if group == 'helm' else 'v1'}"
    return definition(version, kind, "flux-system", "deploy" if kind == "GitRepository" else "shop", spec)


def definition(version: str, kind: str, namespace: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def only_source(definitions: list[dict[str, Any]], *secrets: Mapping[str, Any]) -> GitSource:
    """What the definitions are adopted as, everything of them."""
    known = [one for one in map(repository_secret, secrets) if one is not None]
    found = adopted(definitions, known, lambda *_: None)
    assert found.unsupported == ()
    (source,) = found.sources
    return source


@dataclass(frozen=True, slots=True)
class Way:
    """How a project is defined; the release and namespace that its tool gives a chart ("": the chart's, the entry's).

    `sets_namespace` is what the tool writes into a kustomization.
    """

    define: Callable[[Entry, str], GitSource]
    secret: str
    release: str = ""
    namespace: str = ""
    sets_namespace: str = ""

    def expected(self, entry: Entry, tools: RenderTools, place: Path) -> Direct:
        """What the tools themselves make of the directory."""
        if entry.kind == "helm":
            return helm(tools, CORPUS / entry.path, self.release or entry.name, self.namespace or entry.namespace)
        if not self.sets_namespace:
            return kustomize(tools, CORPUS / entry.path)
        shutil.copytree(CORPUS / entry.name, place / entry.name, copy_function=shutil.copyfile)
        file = place / entry.path / "kustomization.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "namespace": self.sets_namespace}))
        return kustomize(tools, file.parent)


WAYS = {
    "GitSource": Way(by_git_source, "deploy"),
    "Argo CD": Way(by_argo_cd, "argocd/deploy", release="shop"),
    "Flux": Way(by_flux, "flux-system/deploy", "tenant-shop", "tenant", sets_namespace="tenant"),
}


def read(way: Way, entry: Entry, host: Host, tools: RenderTools, place: Path, **keys: str) -> Good:
    """What is read from the host with the Secret that the way names, alone. Raises SourceError."""
    secret = place / "secrets" / way.secret
    secret.mkdir(parents=True)
    for name, text in {**host.keys, **keys}.items():
        (secret / name).write_text(text)
    reader = Reader(tools, place / "mirrors", secrets=SecretFiles(place / "secrets"))
    source = replace(way.define(entry, host.url), allow_private_hosts=True)
    return reader.read(source, reader.heads(source), NO_CLUSTER)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("entry", PROJECTS)
def test_a_project_is_rendered_from_a_git_host_as_its_own_tool_does(
    entry: Entry, way: str, host: Host, tools: RenderTools, tmp_path: Path
) -> None:
    good = read(WAYS[way], entry, host, tools, tmp_path)
    assert good.state.commit == host.commit
    assert len(good.objects) > 20
    check_same(good.objects, WAYS[way].expected(entry, tools, tmp_path / "copy"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("entry", PROJECTS[:1])
def test_the_secret_that_a_definition_names_is_what_opens_the_host(
    entry: Entry, way: str, host: Host, tools: RenderTools, tmp_path: Path
) -> None:
    with pytest.raises(SourceError) as refused:
        read(WAYS[way], entry, host, tools, tmp_path, password="another-horse")
    assert refused.value.code == "SS2009"
    assert "horse" not in str(refused.value)
