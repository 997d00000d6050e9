"""Which writes rules about GPU classes are asked about: each is judged in a thread, so of plain ones none is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from reconciler.gpu.problem import Problem
from reconciler.limits import DENIAL_MESSAGE_CHARS, STRAY_CONFIG_BYTES
from reconciler.model.ref import ObjectRef
from reconciler.render.embedded_loader import load_embedded
from tests.support import decisions
from webhook.decision.decide import decide
from webhook.decision.review import decode
from webhook.decision.rulebook import Scope
from webhook.decision.verdict import Verdict

LAYOUTS = "version: v1\nmig-configs: {off: [{devices: all, mig-enabled: false}]}\n"
OPEN = {"undeclared": "Allow"}
ALICES = {"delegate": [{"paths": ["/data/**"], "kinds": ["ConfigMap"], "to": [{"user": "alice"}]}]}


def stray(data: dict[str, str]) -> dict[str, Any]:
    """The CREATE of a ConfigMap that Git does not declare."""
    only = {"config.yaml": None, "sharing.json": None, **data}
    new = {"name": "mine", "object": {"metadata": {"name": "mine"}, "data": only}}
    return {"object": "layouts", "operation": "CREATE", "request": new}


def asked(case: dict[str, Any]) -> list[str]:
    found = list[str]()

    def rulebook(_: Verdict, ref: ObjectRef, __: Scope) -> Sequence[Any]:
        found.append(ref.name)
        return ()

    held = decisions.snapshot([case["object"]], case.get("policy"))
    assert decide(decode(decisions.review(case)), held, 0.0, parse=load_embedded, rulebook=rulebook).allowed
    return found


@pytest.mark.parametrize(
    ("case", "names"),
    [
        (stray({"config.yaml": LAYOUTS}), ["mine"]),
        (stray({"any": "sharing: {mps: {resources: []}}"}), ["mine"]),
        (stray({"fluent.conf": "keep timestamps, dumps and stamps"}), []),
        (stray({"config.yaml": LAYOUTS, "more": "x" * STRAY_CONFIG_BYTES}), []),
        ({"object": "config", "policy": OPEN, "patch": {"data": {"more": "of it"}}}, []),
        ({"object": "config", "policy": OPEN, "patch": {"data": {"more": LAYOUTS}}}, ["config"]),
        ({"object": "layouts", "policy": ALICES, "patch": {"data": {"config.yaml": None}}}, ["mig"]),
        ({"object": "layouts", "policy": ALICES, "patch": {"metadata": {"annotations": {"seen": "yes"}}}}, []),
    ],
    ids=[
        "a stray with layouts",
        "a stray with a way of sharing",
        "a stray of other words",
        "a stray that is larger than any of an operator's",
        "another key beside those of Git",
        "layouts beside what Git says",
        "layouts that are taken out",
        "no content",
    ],
)
def test_of_config_maps_those_are_judged_that_configure_gpus(case: dict[str, Any], names: list[str]) -> None:
    assert asked(case) == names


def test_a_write_without_an_object_brings_no_class_that_could_be_judged() -> None:
    def rulebook(*_: object) -> Sequence[Problem]:
        raise AssertionError("there is nothing to judge")

    body = json.loads(decisions.review({"object": "layouts", "operation": "CREATE"}))
    body["request"]["object"] = None
    held = decisions.snapshot(["layouts"], {"fragment": True})
    decided = decide(decode(json.dumps(body).encode()), held, 0.0, parse=load_embedded, rulebook=rulebook)
    assert decided.code == "fragment"


def test_however_much_rules_say_a_refusal_ends_with_what_to_do() -> None:
    def rulebook(_: Verdict, ref: ObjectRef, __: Scope) -> Sequence[Problem]:
        return [Problem(f"MIG-0{n}", "error", ref, ("data", "config.yaml"), "x" * 1_200, f"do {n}") for n in range(9)]

    body = decisions.review({**stray({"config.yaml": LAYOUTS}), "as": "a" * 400})
    refused = decide(decode(body), decisions.snapshot(["layouts"]), 0.0, parse=load_embedded, rulebook=rulebook)
    assert refused.code == "gpu-rule"
    assert len(refused.message) <= DENIAL_MESSAGE_CHARS
    assert refused.message.splitlines()[-5:-1] == [f"What to do: do {n}." for n in range(4)]
    assert refused.message.splitlines()[-1].startswith("More: setscrew check")
