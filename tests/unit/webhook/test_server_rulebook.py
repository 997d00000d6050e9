"""Holds when a worker loads the rules about GPU classes, and where it asks them: late, and never on the loop."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from functools import partial

from tests.support import decisions
from webhook.decision.decide import decide
from webhook.decision.look import CURRENT, Look
from webhook.decision.review import decode, encode
from webhook.server.documents import parse
from webhook.server.judge import Judge
from webhook.server.rulebook import new_errors

_BROKEN = {"spec": {"devices": {"config": [{"opaque": {"driver": "", "parameters": {}}}]}}}
_LOADED = """
import sys
import webhook.server.serve, webhook.server.worker, webhook.server.main, webhook.server.feed
import webhook.decision.decide, webhook.decision.review
before = not {"reconciler.gpu.rules", "reconciler.gpu.users.hit"}.isdisjoint(sys.modules)
from tests.support.decisions import judged
written = {"object": "deviceclass", "grants": [{"to": [{"user": "alice"}]}], "patch": {"spec": {"selectors": []}}}
_, seen = judged({**written, "patch": {"metadata": {"annotations": {"seen": "yes"}}}})
of_git = "reconciler.gpu.rules" in sys.modules
_, decision = judged(written)
print(before, seen.code, of_git, decision.code, "reconciler.gpu.rules" in sys.modules)
"""


class _Held:
    """A feed of one snapshot, and a recorder that keeps nothing."""

    def __init__(self) -> None:
        self.snapshot = decisions.snapshot(["deviceclass", "claimtemplate"])

    def current(self) -> object:
        return self.snapshot

    def poll(self) -> bool:
        return False

    def put(self, record: dict[str, object]) -> None:
        """Nothing is kept."""


def test_the_rules_are_loaded_with_the_first_write_that_they_are_about() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "conforms", "False", "granted", "True"]


def test_a_write_that_rules_are_asked_about_is_judged_in_a_thread() -> None:
    async def refresh(seconds: float, source: str = "") -> Look:
        return CURRENT

    async def answered(body: bytes) -> tuple[bool, bytes]:
        held = _Held()
        how = partial(decide, parse=parse, rulebook=new_errors)
        judge = Judge(held, how, decode, encode, refresh, held, lambda: 0.0)
        answer = judge.answer(body, None, asyncio.get_running_loop().time() + 30)
        return isinstance(answer, bytes), answer if isinstance(answer, bytes) else await answer

    claim = {"name": "mine", "namespace": "team-a", "kind": {"kind": "ResourceClaimTemplate"}}
    claim |= {
        "resource": {"resource": "resourceclaimtemplates"},
        "object": {"metadata": {"name": "mine"}, "spec": _BROKEN},
    }
    case = {"object": "deviceclass", "operation": "CREATE", "patch": {}, "request": claim}
    at_once, broken = asyncio.run(answered(decisions.review(case)))
    assert not at_once
    assert json.loads(broken)["response"]["auditAnnotations"]["rules"] == "DRA-01"
    at_once, fine = asyncio.run(answered(decisions.review({"object": "deviceclass", "patch": {"metadata": {}}})))
    assert at_once
    assert json.loads(fine)["response"]["allowed"]
