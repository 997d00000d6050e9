"""Owns reading GitSource documents: what is accepted, and which field an error names."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import UsageError
from reconciler.snapshot.model import Adopter
from reconciler.source.secret import SecretRef
from reconciler.source.spec import GitRef, Verification, parse_source


def document(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "setscrew.dev/v1alpha1",
        "kind": "GitSource",
        "metadata": {"name": "payments"},
        "spec": {"url": "https://git.example.com/payments.git", **spec},
    }


def field(document: dict[str, Any]) -> str:
    with pytest.raises(UsageError) as caught:
        parse_source(document)
    return caught.value.where


def test_a_source_needs_a_name_and_a_url_only() -> None:
    source = parse_source(document())
    assert (source.name, source.ref.full, source.path, source.interval, source.suspend) == (
        "payments", "HEAD", "", 300, False,
    )  # fmt: skip


def test_a_source_names_what_applies_it() -> None:
    adopter = {"kind": "Kustomization", "name": "apps", "namespace": "flux-system"}
    assert parse_source(document(adoptedBy=adopter)).adopted_by == Adopter(**adopter)
    assert parse_source(document()).adopted_by == Adopter()


@pytest.mark.parametrize(
    ("ref", "full"),
    [({"branch": "main"}, "refs/heads/main"), ({"tag": "v1.0"}, "refs/tags/v1.0"), ({"commit": "a" * 40}, "a" * 40),
     ({"commit": "b" * 64, "branch": "main"}, "b" * 64), ({"name": "refs/pull/4/head", "tag": "v"}, "refs/pull/4/head"),
     ({"semver": "1.x", "tag": "v1"}, "refs/tags/*"), ({"branch": "release/1.x"}, "refs/heads/release/1.x")],
)  # fmt: skip
def test_refs_are_asked_for_in_full(ref: dict[str, str], full: str) -> None:
    assert parse_source(document(ref=ref)).ref.full == full


def test_everything_else_that_a_source_may_say_is_read() -> None:
    source = parse_source(
        document(
            ref={"tag": "v1"},
            timeout="2m",
            secretRef={"name": "git"},
            proxySecretRef={"name": "proxy"},
            verify={"secretRef": {"name": "signers"}},
            paths="deploy\n# a remark\n\nbase\n",
            ignore=["*.md"],
            requireFastForward=True,
            allowPrivateHosts=True,
            recurseSubmodules=False,
            lfs=False,
        )
    )
    assert (source.timeout, source.secret, source.proxy_secret) == (120, SecretRef("git"), SecretRef("proxy"))
    assert source.verify == Verification("HEAD", SecretRef("signers"))
    assert (source.paths, source.ignore) == (("deploy", "base"), ("*.md",))
    assert (source.wants_fast_forward, source.allow_private_hosts) == (True, True)


def test_a_ref_prints_as_people_say_it() -> None:
    assert [str(GitRef("branch", "main")), str(GitRef())] == ["main", "HEAD"]


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("1h30m", 5400), ("45s", 45), (60, 60)])
def test_intervals_are_seconds(text: Any, seconds: int) -> None:
    assert parse_source(document(interval=text)).interval == seconds


@pytest.mark.parametrize("url", ["ssh://git@git.example.com:2222/o/r.git", "file:///srv/r.git", "/srv/r.git"])
def test_other_urls_that_are_read(url: str) -> None:
    assert parse_source(document(url=url)).is_local is not url.startswith("ssh")


@pytest.mark.parametrize(
    "url",
    ["", None, "git@git.example.com:o/r", "http://git.example.com/r", "ext::sh -c touch% /tmp/x", "git://example.com/r",
     "https://user:pw@git.example.com/r", "https://token@git.example.com/r", "ssh://-oProxyCommand=x/r",
     "ssh://-oProxyCommand=x@host/r", "https:///r", "https://example.com:99999/r",
     "https://[a/r", "https://example.com/a b", "https://example.com/\nx", "../r",
     "--upload-pack=x", "https::https://example.com/r", "ftp://example.com/r"],
)  # fmt: skip
def test_urls_that_could_do_harm_are_refused(url: Any) -> None:
    assert field(document(url=url)) == "GitSource payments: spec.url"


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--upload-pack=x", "a..b", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a/", "/a", "a.lock",
     "@", "a@{1}", "a//b", "a/.b", "x" * 256, 3, "a\n"],
)  # fmt: skip
def test_names_that_git_would_not_take_are_no_refs(name: Any) -> None:
    assert field(document(ref={"branch": name})) == "GitSource payments: spec.ref.branch"


@pytest.mark.parametrize("commit", ["abc", "A" * 40, "g" * 40, "a" * 41])
def test_a_commit_is_a_full_id(commit: str) -> None:
    assert field(document(ref={"commit": commit})) == "GitSource payments: spec.ref.commit"


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../x", ".git", "a/.git/hooks", 3, "a\0b"])
def test_paths_stay_in_the_repository(path: Any) -> None:
    assert field(document(path=path)) == "GitSource payments: spec.path"


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"verify": {"mode": "HEAD"}}, "spec.verify.secretRef"),
        ({"verify": {"mode": "Always", "secretRef": {"name": "x"}}}, "spec.verify.mode"),
        ({"verify": {"mode": "Tag", "secretRef": {"name": "x"}}}, "spec.verify.mode"),
        ({"secretRef": "x"}, "spec.secretRef"),
        ({"secretRef": {"name": ""}}, "spec.secretRef.name"),
        ({"secretRef": {"name": "../x"}}, "spec.secretRef.name"),
        ({"secretRef": {"name": "x", "namespace": "kube-system"}}, "spec.secretRef.namespace"),
        ({"ref": {"semver": "a lot"}}, "spec.ref.semver"),
        ({"ref": {"name": "main"}}, "spec.ref.name"),
        ({"ref": {"semver": "1.x", "digest": "x"}}, "spec.ref.digest"),
        ({"timeout": "-1s"}, "spec.timeout"),
        ({"paths": "deploy", "ignore": [1]}, "spec.ignore"),
        ({"recurseSubmodules": True}, "spec.recurseSubmodules"),
        ({"lfs": True}, "spec.lfs"),
        ({"requireFastForward": "yes"}, "spec.requireFastForward"),
        ({"limits": {}}, "spec.limits"),
        ({"interval": "soon"}, "spec.interval"),
        ({"interval": 0}, "spec.interval"),
        ({"suspend": "no"}, "spec.suspend"),
        ({"adoptedBy": "apps"}, "spec.adoptedBy"),
        ({"adoptedBy": {"kind": "Kustomization"}}, "spec.adoptedBy.name"),
        ({"adoptedBy": {"kind": "Chart", "name": "apps"}}, "spec.adoptedBy.kind"),
        ({"adoptedBy": {"kind": "Application", "name": "apps", "project": "x"}}, "spec.adoptedBy.project"),
        ({"render": [1]}, "spec.render"),
        ({"render": "Helm"}, "spec.render"),
    ],
)
def test_what_this_version_does_not_do_is_refused_by_name(spec: dict[str, Any], where: str) -> None:
    assert field(document(**spec)) == f"GitSource payments: {where}"


@pytest.mark.parametrize("name", ["", "Payments", "a/b", "../x", "a.b", None, "-a", "x" * 64])
def test_a_name_is_a_dns_label_since_files_are_named_after_it(name: Any) -> None:
    assert field({**document(), "metadata": {"name": name}}) == "metadata.name"


@pytest.mark.parametrize("wrong", [{"kind": "GitRepository"}, {"apiVersion": "v1"}])
def test_other_kinds_are_no_sources(wrong: dict[str, str]) -> None:
    assert field({**document(), **wrong}) == "kind"
