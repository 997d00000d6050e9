"""What of an object leaves a cluster in a bundle for support: shape and state, and no secret by place or by form."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setscrew.installing.bundle import packed, stamped
from setscrew.installing.redaction import cut, redacted

PLANTED = "hunter2-planted-secret"
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{PLANTED}\n-----END EC PRIVATE KEY-----"


def source(**spec: object) -> dict[str, object]:
    return {"apiVersion": "setscrew.dev/v1alpha1", "kind": "GitSource", "metadata": {"name": "shop"}, "spec": spec}


def told(tree: dict[str, object]) -> str:
    return json.dumps(redacted(tree))


def test_of_a_secret_name_type_and_sizes_are_left() -> None:
    metadata = {"name": "s", "namespace": "n", "annotations": {"a": PLANTED}}
    tree = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": {"key": PLANTED}}
    assert PLANTED not in told(tree)
    assert redacted(tree)["sizes"] == {"key": len(PLANTED)}
    assert redacted(tree)["type"] == "Opaque"


@pytest.mark.parametrize(
    "tree",
    [
        source(url=f"https://user:{PLANTED}@git.example.com/shop.git"),
        source(render={"values": {"password": PLANTED, "deep": {"er": PLANTED}}}),
        source(render={"parameters": [{"name": "x", "value": PLANTED}]}),
        source(render={"kustomize": {"patches": [{"patch": PLANTED}]}}),
        {"kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"file": PLANTED}},
        {"kind": "ConfigMap", "metadata": {"name": "theirs"}, "binaryData": {"file": PLANTED}},
        {
            "kind": "GitSource",
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": PLANTED}},
        },
        {"kind": "Pod", "metadata": {}, "spec": {"containers": [{"env": [{"name": "TOKEN", "value": PLANTED}]}]}},
        {"kind": "Pod", "metadata": {}, "spec": {"containers": [{"args": [f"--token={PLANTED}"]}]}},
        {"kind": "Event", "metadata": {}, "message": f"cannot fetch https://x:{PLANTED}@host/"},
    ],
)
def test_what_may_hold_a_secret_by_its_place_or_form_is_left_out(tree: dict[str, object]) -> None:
    assert PLANTED not in told(tree)


def test_names_and_states_stay() -> None:
    env = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "tokens", "key": "one"}}}]
    pod = {
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"env": env}]},
        "status": {"phase": "Run"},
    }
    assert redacted(pod) == pod
    shop = source(url="ssh://git.example.com/shop.git", secretRef={"name": "shop-git"}, path="deploy")
    assert redacted(shop) == shop
    levers = {"kind": "ConfigMap", "metadata": {"name": "setscrew-levers"}, "data": {"users": "alice\n"}}
    assert redacted(levers) == levers


@pytest.mark.parametrize(
    "line",
    [
        f"fetch https://user:{PLANTED}@host/x failed",
        f"Authorization: Bearer {PLANTED}",
        f"password={PLANTED} user=x",
        f'{{"api_key": "{PLANTED}"}}',
        f"glpat-{PLANTED}",
        f"before\n{PEM}\nafter",
        f"eyJhbGciOi.{PLANTED}.sig",
    ],
)
def test_what_looks_like_a_credential_is_cut_out_of_a_log(line: str) -> None:
    assert PLANTED not in cut(line)


@given(st.text("abc :/@\n", max_size=40))
def test_cutting_twice_cuts_no_more(text: str) -> None:
    assert cut(cut(text)) == cut(text)


def test_a_bundle_is_files_below_one_directory_for_one_reader() -> None:
    data = packed([("a.txt", "one\n"), ("b/c.txt", "two\n")], stamped(0.0), 0.0)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [(one.name, one.mode) for one in archive] == [
            ("setscrew-support-19700101-000000/a.txt", 0o600),
            ("setscrew-support-19700101-000000/b/c.txt", 0o600),
        ]
