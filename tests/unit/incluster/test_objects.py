"""Holds what objects come to: one configuration with those of a directory, each object by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.policy.model import Policy, Rules
from reconciler.snapshot.model import Adopter, MemorySnapshot, SourceState
from reconciler.source.secret import SecretRef
from reconciler.source.spec import GitSource, parse_source
from setscrew.configuration import Configuration
from setscrew.incluster.objects import Combined, combined, key_of
from tests.support.own_objects import GOOD, changed

URL = "https://git.example.com/a.git"
API = {"apiVersion": "setscrew.dev/v1alpha1"}


def source(name: str, **spec: Any) -> dict[str, Any]:
    return {**API, "kind": "GitSource", "metadata": {"name": name}, "spec": {"url": URL, **spec}}


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {**API, "kind": "DriftPolicy", "metadata": {"name": name}, "spec": spec}


def of(*trees: Mapping[str, Any], before: Combined | None = None, last: MemorySnapshot | None = None) -> Combined:
    """What objects come to beside a directory with a source `file` and the policies `default` and `own-levers`."""
    given = Configuration(Rules((Policy("own-levers", priority=1000), Policy("default"))), (GitSource("file", URL),))
    return combined(given, {key_of(tree): tree for tree in trees}, before, last)


def test_objects_count_beside_the_documents_of_the_directory() -> None:
    found = of(source("shop"), policy("strict", priority=10), policy("late", priority=-1))
    assert [one.name for one in found.configuration.sources] == ["file", "shop"]
    assert [one.name for one in found.configuration.rules.policies] == ["own-levers", "strict", "default", "late"]
    assert (found.faults, found.others) == ({}, ())


def test_what_a_whole_object_says_is_read_as_from_a_file_but_for_its_secrets() -> None:
    tree = changed("GitSource", {})
    (found,) = of(tree).sources.values()
    plain = parse_source({**API, "kind": "GitSource", **GOOD["GitSource"]})
    assert found.url == plain.url
    assert found.secret == SecretRef("deploy", "setscrew-system")
    assert found.proxy_secret == SecretRef("proxy", "setscrew-system")
    assert found.verify.keys == SecretRef("signers", "setscrew-system")


@pytest.mark.parametrize("name", ["setscrew-values", "setscrew-signing", "setscrew-tls"])
@pytest.mark.parametrize("field", ["secretRef", "proxySecretRef", "verify"])
def test_no_source_sends_our_own_keys_to_its_host(name: str, field: str) -> None:
    ref = {"name": name}
    found = of(source("shop", **{field: {"secretRef": ref} if field == "verify" else ref}))
    assert "holds keys of Setscrew" in found.faults["GitSource", "shop"].message
    assert found.sources == {}


def test_an_object_that_is_wrong_stops_no_other_and_says_what_where_and_why() -> None:
    found = of(
        source("bad", url="http://git.example.com/a.git"),
        source("good"),
        policy("bad", action="Refuse"),
        policy("good"),
    )
    assert set(found.sources) == {"good"}
    assert set(found.policies) == {"good"}
    fault = found.faults["GitSource", "bad"]
    assert (fault.reason, "spec.url" in fault.message, "https://" in fault.message) == ("Invalid", True, True)
    assert "'Refuse' is none of Deny, Warn, Audit" in found.faults["DriftPolicy", "bad"].message
    (other,) = found.others
    assert (other.name, other.state, other.message) == ("bad", "Unsupported", fault.message)


def test_how_to_render_is_read_with_the_object() -> None:
    assert "spec.render" in of(source("shop", render={"kind": "Jsonnet"})).faults["GitSource", "shop"].message


def test_what_an_object_said_before_it_was_wrong_holds() -> None:
    first = of(source("shop", path="a"), policy("strict", priority=5))
    then = of(source("shop", path="../b"), policy("strict", priority="high"), before=first)
    assert then.sources["shop"].path == "a"
    assert then.policies["strict"].priority == 5
    assert all("what it said before holds" in fault.message for fault in then.faults.values())
    assert len(then.faults) == 2
    again = of(source("shop", path="../c"), policy("strict", priority=[]), before=then)
    assert (again.sources, again.policies) == (then.sources, then.policies)
    mended = of(source("shop", path="d"), policy("strict"), before=again)
    assert (mended.sources["shop"].path, mended.policies["strict"].priority, mended.faults) == ("d", 0, {})


def test_an_object_that_is_gone_is_forgotten_also_while_it_was_wrong() -> None:
    first = of(source("shop", path="a"))
    wrong = of(source("shop", path="../b"), before=first)
    assert of(before=wrong).sources == {}
    back = of(source("shop", path="../b"), before=of(before=wrong))
    assert (back.sources, len(back.others)) == ({}, 1)


def test_what_another_process_has_enforced_of_a_wrong_object_stays_and_is_not_read() -> None:
    state = SourceState("shop", URL, "prod", "main@sha1:" + "a" * 40, adopter=Adopter("Kustomization", "shop", "flux"))
    last = MemorySnapshot((), Rules((Policy("strict", priority=7),)), {"shop": state})
    found = of(source("shop", path="../b"), policy("strict", priority="high"), last=last)
    assert found.policies["strict"].priority == 7
    held = found.sources["shop"]
    assert (held.suspend, held.path, held.adopted_by.name) == (True, "prod", "shop")
    assert found.others == ()


@pytest.mark.parametrize(
    ("tree", "key"), [(source("file"), "GitSource"), (policy("own-levers", action="Audit"), "DriftPolicy")]
)
def test_what_stands_in_the_directory_or_is_shipped_counts_before_an_object_of_its_name(tree: Any, key: str) -> None:
    found = of(tree)
    name = tree["metadata"]["name"]
    assert found.faults[key, name].reason == "DefinedTwice"
    assert [one for one in found.configuration.rules.policies if one.name == "own-levers"] == [
        Policy("own-levers", priority=1000)
    ]
    assert [one.name for one in found.configuration.sources] == ["file"]
    assert found.others == ()
