"""A grant permits what its scope names and no more: items by key, or by an index that all agree on."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from reconciler.model.path import ItemKey, Path
from reconciler.model.ref import ObjectRef
from reconciler.policy.grant import Grant, Scope
from reconciler.policy.model import Subject
from tests.support.decisions import judged
from webhook.decision.granted import by_index, granted_by
from webhook.decision.types import Identity
from webhook.decision.violation import Violation

WEB = ObjectRef("apps", "Deployment", "shop", "web")
DANA = Identity("dana", ("on-call",))
APP, SIDE = ItemKey((("name", "app"),)), ItemKey((("name", "side"),))
IMAGE: Path = ("spec", "containers", APP, "image")
BY_KEY = '/spec/containers/k:{"name":"app"}/image'
BY_INDEX = "/spec/containers/0/image"


def pod(*names: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "image": "a"} for name in names]}}


def grant(*paths: str, identity: str = "g", until: float = 100.0, **changes: Any) -> Grant:
    given: dict[str, Any] = {"subjects": (Subject(user="dana"),), "scope": Scope(paths=paths)}
    return Grant(**{"id": identity, "reason": "r", "not_after": until, **given, **changes})


def changed(path: Path) -> Violation:
    return Violation(path, "held", "Git declares it", want="a", was="a", now="b")


def permits(one: Grant, path: Path = IMAGE, *documents: Any, identity: Identity = DANA) -> bool:
    return granted_by([one], identity, WEB, [changed(path)], 0.0, documents) is one


@pytest.mark.parametrize(
    ("documents", "found"),
    [
        ((pod("app", "side"), pod("app", "side"), pod("app", "side")), 0),
        ((pod("app"), pod("app"), pod("app", "side")), 0),
        ((pod("app"), None, pod("app")), 0),
        ((pod("app", "side"), pod("app", "side"), pod("side", "app")), None),
        ((pod("app", "side"), pod("side", "app"), pod("side", "app")), None),
        ((pod("app"), pod("side", "app"), pod("side", "app")), None),
        ((pod("side"), pod("app"), pod("app")), None),
        ((pod("side"), None, pod("side")), None),
        ((), None),
    ],
    ids=[
        "same",
        "added behind",
        "create",
        "reordered",
        "moved before",
        "injected",
        "another in Git",
        "none",
        "unknown",
    ],
)
def test_an_index_counts_where_git_was_and_now_agree(documents: Any, found: int | None) -> None:
    assert by_index(IMAGE, documents) == (IMAGE if found is None else ("spec", "containers", found, "image"))
    assert permits(grant(BY_INDEX), IMAGE, *documents) is (found == 0)
    assert permits(grant(BY_KEY), IMAGE, *documents)


def test_an_item_that_another_is_moved_away_for_is_not_the_granted_one() -> None:
    """Reordering containers is free, so a grant by index must not follow whoever stands there."""
    documents = (pod("app", "side"), pod("side", "app"), pod("side", "app"))
    assert not permits(grant(BY_INDEX), ("spec", "containers", SIDE, "image"), *documents)


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ('/spec/ports/k:{"port":53,"protocol":"UDP"}/nodePort', True),
        ('/spec/ports/k:{"port":53}/nodePort', True),
        ('/spec/ports/k:{"port":53,"protocol":"TCP"}/nodePort', False),
        ('/spec/ports/k:{"port":"53"}/nodePort', False),
        ('/spec/ports/k:{"port":[53]}/nodePort', False),
        ("/spec/ports/k:{}/nodePort", False),
        ("/spec/ports/k:{/nodePort", False),
        ("/spec/ports/*/nodePort", True),
        ("/spec/ports", True),
        ("/spec/ports/**", True),
        ("/spec/ports/1/nodePort", True),
        ("/spec/ports/0/nodePort", False),
        ("/spec/ports/1", True),
        ("/spec/ports/1/nodePort/x", False),
    ],
)
def test_an_item_of_several_keys_is_named_by_some_of_them_or_its_index(pattern: str, covers: bool) -> None:
    ports = [{"port": 53, "protocol": "TCP", "nodePort": 1}, {"port": 53, "protocol": "UDP", "nodePort": 2}]
    item = ItemKey((("port", 53), ("protocol", "UDP")))
    documents = [{"spec": {"ports": ports}}] * 3
    assert permits(grant(pattern), ("spec", "ports", item, "nodePort"), *documents) is covers


def test_who_approved_a_grant_does_not_use_it_as_a_member_of_a_group() -> None:
    shift = (Subject(group="on-call"),)
    assert permits(grant(subjects=shift, approver="lena"))
    assert not permits(grant(subjects=shift, approver="dana"))
    assert not permits(grant(subjects=shift, approver="Dana"))
    assert permits(grant(subjects=(*shift, Subject(user="dana")), approver="dana")), "the rules allowed it"


def test_each_of_several_grants_must_permit_and_the_first_to_end_is_named() -> None:
    wide, narrow = grant(until=50.0, identity="wide"), grant(BY_KEY, until=90.0, identity="narrow")
    assert granted_by([narrow, wide], DANA, WEB, [changed(IMAGE)], 0.0) is wide
    assert granted_by([narrow, wide], DANA, WEB, [changed(("spec", "replicas"))], 0.0) is None
    assert granted_by([narrow, wide], DANA, WEB, [], 0.0) is None, "a scope with paths covers no DELETE"
    assert granted_by([narrow, wide], DANA, WEB, [changed(IMAGE)], 60.0) is narrow


def test_a_new_item_is_granted_by_its_place_and_not_by_one_of_its_fields() -> None:
    added = Violation(
        ("spec", "containers", SIDE), "extra", "Git does not declare it", now={"name": "side", "image": "x"}
    )
    documents = (pod("app"), pod("app"), pod("app", "side"))
    for pattern, covers in {"/spec/containers/1": True, "/spec/containers/1/image": False}.items():
        assert (granted_by([grant(pattern)], DANA, WEB, [added], 0.0, documents) is not None) is covers


def command(decision: Any) -> dict[str, str]:
    """Options of the command with which a denial ends."""
    line = next(line for line in decision.message.splitlines() if "setscrew grant create" in line)
    words = shlex.split(line.partition(": ")[2])[3:]
    return dict(zip(words[::2], words[1::2], strict=True))


CHANGE: dict[str, Any] = {
    "object": "web",
    "patch": [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil"}],
}
BEFORE: dict[str, Any] = {
    "drift": [{"op": "add", "path": "/spec/template/spec/containers/0", "value": {"name": "first", "image": "x"}}]
}


@pytest.mark.parametrize(
    "case",
    [CHANGE, {**CHANGE, **BEFORE, "patch": [{**CHANGE["patch"][0], "path": "/spec/template/spec/containers/1/image"}]}],
    ids=["by index", "by key"],
)
def test_the_path_of_the_command_permits_just_the_change(case: dict[str, Any]) -> None:
    refused = judged(case)[1]
    assert not refused.allowed
    options = command(refused)
    said = {"to": [{"user": options["--user"]}], "refs": [options["--ref"]], "paths": [options["--path"]]}
    assert judged({**case, "grants": [said]})[1].code == "granted"
    assert ("k:{" in options["--path"]) is ("drift" in case)
    other = [*case["patch"], {"op": "replace", "path": "/spec/replicas", "value": 7}]
    assert not judged({**case, "patch": other, "grants": [said]})[1].allowed


def test_a_star_in_a_name_is_no_pattern_that_somebody_else_grants_unseen() -> None:
    """Then the command asks for the whole object, openly."""
    case = {"object": "config", "patch": [{"op": "add", "path": "/data/*", "value": "x"}]}
    refused = judged(case)[1]
    assert not refused.allowed
    assert set(command(refused)) == {"--user", "--ref", "--for", "--reason", "--approver"}
