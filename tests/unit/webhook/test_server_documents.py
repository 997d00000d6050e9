"""Holds how an admission worker reads documents inside strings: YAML only when it must, and what is big in a thread."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import Any

import pytest

from reconciler.limits import EMBEDDED_BYTES, EMBEDDED_LOOP_BYTES, EMBEDDED_NODES
from tests.support import stub_admission as stub
from tests.support.admission import a_review
from webhook.decision.look import CURRENT, Look
from webhook.decision.types import Decision
from webhook.server.documents import TooBigForLoopError, parse
from webhook.server.judge import Judge

BIG = "# a long story\n" * (EMBEDDED_LOOP_BYTES // 15 + 1) + "a: 1\n"
# A few anchors, and more values than a loop has time for.
MANY = "a: &a [" + "1," * 100 + "]\nb: &b [" + "*a," * 10 + "]\nc: [" + "*b," * 10 + "]\n"
DENSE = "a: [" + "1," * (EMBEDDED_LOOP_BYTES // 8) + "]\n"
_LOADED = """
import sys
from webhook.server import serve, worker, documents, main
before = "yaml" in sys.modules
documents.parse('{"a": [1]}')
json = "yaml" in sys.modules
documents.parse("a: [1]")
print(before, json, "yaml" in sys.modules)
"""


async def on_loop(text: str) -> Any:
    return parse(text)


def test_yaml_is_loaded_at_the_first_text_that_needs_it() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True"]


def test_a_short_text_is_read_on_the_loop() -> None:
    assert asyncio.run(on_loop("a: yes\n")) == {"a": True}
    assert asyncio.run(on_loop('{"a": 1}')) == {"a": 1}
    assert asyncio.run(on_loop("{a: 1}")) == {"a": 1}


@pytest.mark.parametrize("text", [BIG, MANY, DENSE], ids=["long", "anchors", "dense"])
def test_what_would_hold_up_the_loop_is_not_read_there(text: str) -> None:
    with pytest.raises(TooBigForLoopError):
        asyncio.run(on_loop(text))
    assert parse(text)["a"]


@pytest.mark.parametrize(
    "text",
    [
        "a" * (EMBEDDED_BYTES + 1),
        "a: &a [" + "1," * 1000 + "]\nb: [" + "*a," * (EMBEDDED_NODES // 1000) + "]\n",
        "[" * 150 + "]" * 150,
        "a: 1\na: 2\n",
        '{"a": 1, "a": 2}',
        '{"a": 1e999}',
        "a: 1\n---\nb: 2\n",
        "a: [\n",
        "\ud800",
    ],
    ids=[
        "too long",
        "too much of little",
        "too deep",
        "a key twice",
        "a key twice",
        "infinite",
        "two",
        "broken",
        "half",
    ],
)
def test_what_cannot_be_read_within_bounds_is_refused_with_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[ -~]{4,200}$"):
        parse(text)


def test_a_review_with_a_big_document_is_judged_in_a_thread_with_the_same_answer() -> None:
    threads: list[bool] = []

    def decide(request: Any, snapshot: Any, now: float, **more: Any) -> Decision:
        parse(BIG)
        threads.append(threading.current_thread() is threading.main_thread())
        return stub.decide(request, snapshot, now, **more)

    async def refresh(seconds: float, source: str = "") -> Look:
        return CURRENT

    class Nobody:
        def put(self, record: dict[str, object]) -> None:
            """Nothing is kept."""

    async def answered(body: bytes, how: Any) -> bytes:
        judge = Judge(stub.StubFeed(), how, stub.decode, stub.encode, refresh, Nobody(), lambda: 0.0)
        return await judge.review(body, None, asyncio.get_running_loop().time() + 30)

    for verdict in ("allow", "deny"):
        body = json.dumps(a_review(verdict=verdict)).encode()
        assert asyncio.run(answered(body, decide)) == asyncio.run(answered(body, stub.decide))
    assert threads == [False, False]
