"""Owns the run of tests/cases/decision/*.yaml: each case is one sentence of the decision rule.

A new case needs no Python: see the keys in `tests.support.decisions.review`. `expect.paths` are all pointers of the
causes, in any order; `says` and `keeps silent of` are texts in everything that leaves the server, `warns` in its
warnings (an empty list: there are none).
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from reconciler.limits import DENIAL_MESSAGE_CHARS
from tests.support.decisions import CASES, judged
from webhook.decision.review import encode


def _cases() -> list[Any]:
    found = []
    for file in sorted(CASES.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        for case in document["cases"]:
            whole = {**document.get("all", {}), **case}
            found.append(pytest.param(whole, id=f"{file.stem}: {case['name']}"))
    return found


@pytest.mark.parametrize("case", _cases())
def test_the_decision_rule(case: dict[str, Any]) -> None:
    request, decision = judged(case)
    expect = case["expect"]
    answer = encode(request.uid, decision).decode()
    assert (decision.allowed, decision.code) == (expect["allowed"], expect["code"]), decision.message
    assert sorted(cause.pointer for cause in decision.causes) == sorted(expect.get("paths", [])), decision.message
    assert decision.needs_refresh is expect.get("refresh", False)
    assert decision.guarded is expect.get("guarded", decision.guarded)
    for said in expect.get("says", []):
        assert said in decision.message
    for warning in expect.get("warns", []):
        assert warning in "\n".join(decision.warnings)
    assert not decision.warnings or expect.get("warns") != []
    for secret in expect.get("keeps silent of", []):
        assert secret not in answer
    texts = [*decision.message.splitlines(), *decision.audit.values(), *decision.warnings]
    texts += [text for cause in decision.causes for text in (cause.message, cause.pointer, cause.field)]
    assert all(text.isprintable() for text in texts)
    if not decision.allowed:
        assert 0 < len(decision.message) <= DENIAL_MESSAGE_CHARS
        assert decision.guarded
        assert msgspec.json.decode(answer)["response"]["status"]["code"] == 403


def test_line_37_a_dry_run_gets_the_same_answer() -> None:
    case = {"object": "web", "patch": {"spec": {"replicas": 9}}}
    _, real = judged(case)
    _, dry = judged({**case, "dryRun": True})
    assert real == dry
    assert not dry.allowed


def test_names_of_cases_are_sentences_and_stand_once() -> None:
    names = [param.id or "" for param in _cases()]
    assert len(names) == len(set(names))
    assert len(names) >= 90
    assert all(len(name.split()) >= 4 for name in names)
