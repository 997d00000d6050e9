"""Owns what is declared of an object that Git holds encrypted: its keys, not its values."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from reconciler.canonical.engine import canonicalize
from reconciler.canonical.form import CanonicalObject
from reconciler.canonical.volatile import live_form
from reconciler.compare import comparison
from reconciler.model.objects import Provenance, RenderedObject
from reconciler.render.encrypted import held_by_keys
from setscrew.cli.common import offline_context
from tests.support.decisions import KEY, builtin_rules

CIPHER = "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"
SOPS = {"mac": CIPHER, "lastmodified": "2026-01-01T00:00:00Z", "version": "3.9.0", "age": [{"recipient": "age1x"}]}


def rendered(kind: str = "Secret", name: str = "login", **fields: Any) -> RenderedObject:
    version = "bitnami.com/v1alpha1" if kind == "SealedSecret" else "v1"
    tree = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}
    return RenderedObject(tree, Provenance(file="login.yaml", line=1))


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


FILE = encoded(f"user: {CIPHER}\nsops:\n    mac: {CIPHER}\n")
LINES = {
    "user": encoded(CIPHER),
    "sops_mac": encoded(CIPHER),
    "sops_version": encoded("3.9.0"),
    "sops_age__x": encoded("1"),
}


def test_a_secret_declares_its_keys_and_none_of_sops() -> None:
    ((one,), (note,)) = held_by_keys([rendered(data={"user": CIPHER, "plain": "eA=="}, sops=SOPS, type="Opaque")])
    assert one.generated == ("/data/user",)
    assert "sops" not in one.tree
    assert one.tree["data"].keys() == {"user", "plain"}
    assert CIPHER not in str(one.tree)
    assert "encrypted in Git" in note
    assert "login" in note


def test_what_is_encrypted_of_any_kind_is_held_by_its_keys() -> None:
    given = rendered("ConfigMap", data={"a": CIPHER, "b": "clear"}, list=[{"c": CIPHER}], sops=SOPS)
    ((one,), _) = held_by_keys([given])
    assert one.generated == ("/data/a", "/list/0/c")
    assert one.tree["data"]["b"] == "clear"


def test_what_only_looks_encrypted_is_a_value() -> None:
    given = rendered("ConfigMap", data={"a": CIPHER}, sops="a word")
    assert held_by_keys([given]) == ((given,), ())


def test_marks_of_the_renderer_stay() -> None:
    given = RenderedObject(rendered(data={"a": CIPHER}, sops=SOPS).tree, Provenance(), ("/metadata/labels",))
    ((one,), _) = held_by_keys([given])
    assert one.generated == ("/data/a", "/metadata/labels")


@pytest.mark.parametrize("data", [{"file.yaml": FILE, "other": "eA=="}, {**LINES, "other": "eA=="}])
def test_values_that_are_encrypted_files_are_any(data: dict[str, str]) -> None:
    ((one,), _) = held_by_keys([rendered(data=data)])
    assert len(one.generated) == 1
    assert one.tree["data"]["other"] == "eA=="
    assert not any(key.startswith("sops_") for key in one.tree["data"])


def test_a_secret_that_is_named_by_its_content_is_left_out_and_its_name_is_any() -> None:
    secret = rendered(name="login-2b4c8f9gmt", data={"file.yaml": FILE})
    user = rendered("Pod", "web", spec={"volumes": [{"secret": {"secretName": "login-2b4c8f9gmt"}}], "other": "login"})
    ((one,), notes) = held_by_keys([secret, user])
    assert one.generated == ("/spec/volumes/0/secret/secretName",)
    assert any("left out" in note and "login-2b4c8f9gmt" in note for note in notes)


def test_a_sealed_secret_is_an_object_like_others_and_what_it_makes_is_nobodys() -> None:
    sealed = rendered("SealedSecret", spec={"encryptedData": {"user": "AgBy"}})
    ((one,), (note,)) = held_by_keys([sealed])
    assert one == sealed
    assert "not declared by Git" in note


def test_many_are_counted() -> None:
    given = [rendered(name=f"s{number}", data={"a": CIPHER}, sops=SOPS) for number in range(8)]
    assert held_by_keys(given)[1][0].endswith("and 3 more")


def form(one: RenderedObject) -> CanonicalObject:
    return canonicalize(one, offline_context(builtin_rules(), key=KEY))


def test_no_value_is_invalid_whatever_the_type_of_the_secret() -> None:
    given = rendered(data={".dockerconfigjson": CIPHER}, sops=SOPS, type="kubernetes.io/dockerconfigjson")
    ((one,), _) = held_by_keys([given])
    assert form(one).invalid == ()
    assert [mask.path for mask in form(one).masks] == [("data", ".dockerconfigjson")]


@pytest.mark.parametrize("field", ["data", "stringData"])
@pytest.mark.parametrize(
    ("live", "drift"),
    [
        ({"user": encoded("dana")}, []),
        ({"user": encoded("other"), "more": "eA=="}, ["/data/more"]),
        ({}, ["/data"]),
        ({"user": ""}, []),
    ],
)
def test_a_live_secret_is_in_sync_with_any_value_under_the_same_keys(
    field: str, live: dict[str, str], drift: list[str]
) -> None:
    ((one,), _) = held_by_keys([rendered(**{field: {"user": CIPHER}}, sops=SOPS, type="Opaque")])
    metadata = {"name": "login", "namespace": "default"}
    tree = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": live, "type": "Opaque"}
    found = comparison.compare(form(one), live_form(tree, KEY))
    assert [change.path for change in found.changes] == drift
