"""Holds the short form of `make fuzz`, and the fuzzer itself: it finds a guard that is blind."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.render import child as render_child
from tests.fuzz import child, loader, oracle, parent, receivers, target
from tests.fuzz.__main__ import fuzz
from webhook.api.providers import delivery, names, proof
from webhook.decision import decide as decision
from webhook.server import judge

# Others may have the machine at the same time.
pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(1200)
def test_a_hundred_thousand_inputs_find_nothing() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--inputs", "100000", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1190, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "100000 inputs" in done.stdout


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["receivers", "loader"])
def test_ten_thousand_inputs_in_a_child_find_nothing(name: str) -> None:
    found = parent.fuzz(name, 10_000, 1)
    assert found.findings == []
    assert 0 < found.peak < 512


@pytest.mark.timeout(400)
def test_the_fuzzer_outlives_inputs_that_kill_hang_or_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "_SILENT_SECONDS", 30)
    found = parent.fuzz("tests.unit.fuzz.deadly", 60, 1, share=40)
    assert {(number, wrong) for number, _, wrong in found.findings} == {
        ("1-0-5", "raised what it should not"),
        ("1-0-13", "the child ended: killed by SIGSEGV"),
        ("1-0-21", "the child ended: status 1"),
        ("1-0-34", "the child ended: killed by SIGKILL"),
        ("1-0-55", "raised what it should not"),
    }


@pytest.mark.parametrize(
    ("module", "name", "broken", "wrong"),
    [
        (proof, "signed", lambda *_, **__: True, "accepted, though it is not proven"),
        (names, "full_ref", str, "taken as a ref"),
        (names, "object_id", str, "taken as a ref"),
        (delivery, "_payload_of_form", lambda _: 1 / 0, "raised ZeroDivisionError"),
    ],
)
def test_the_fuzzer_finds_a_judgement_that_is_broken(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, broken: Any, wrong: str
) -> None:
    monkeypatch.setattr(module, name, broken)
    pool = child.pool_of("1-0-0")
    found = {receivers.finding(receivers.make(child.numbered(1, count), pool)) for count in range(3_000)}
    assert any(wrong in one for one in found)


def test_the_fuzzer_finds_a_loader_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_child, "load_documents", lambda data, _: yaml.safe_load_all(data))
    pool = child.pool_of("1-0-0")
    found = {loader.finding(loader.make(child.numbered(1, count), pool)) for count in range(200)}
    assert any("raised" in one for one in found)


def blind(*_: Any) -> list[Any]:
    return []


def boom(*_: Any, **__: Any) -> Any:
    raise ValueError


@pytest.mark.parametrize(
    ("module", "name", "broken", "found"),
    [
        (decision, "judge_content", blind, "admitted, though content changes"),
        (decision, "judge_metadata", blind, "a finalizer is taken away"),
        (decision, "live_form", boom, "internal error"),
        (judge, "_unreadable", boom, "raised ValueError"),
    ],
)
def test_the_fuzzer_finds_a_guard_that_is_blind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: Any, name: str, broken: Any, found: str
) -> None:
    monkeypatch.setattr(module, name, broken)
    assert asyncio.run(fuzz(3_000, 1, target.seeds()))
    assert found in capsys.readouterr().out


def test_an_input_comes_again_with_its_number() -> None:
    seeds = target.seeds()
    assert target.make("3-0-5", seeds, ["x"]).body == target.make("3-0-5", seeds, ["x"]).body
    assert target.make("3-0-5", seeds, ["x"]).body != target.make("3-0-6", seeds, ["x"]).body


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"cpu": "1"}, {"cpu": "1000m"}, True), ({"a": [1, 2]}, {"a": [2, 1]}, True), ({"a": None, "b": {}}, {}, True),
        ({"a": 1}, {"a": 2}, False), ({"a": [1]}, {"a": [1, 2]}, False), ({"a": True}, {"a": False}, False),
        ({"image": "web:1"}, {"image": "web:2"}, False), ({"a": {"b": "c"}}, {}, False),
    ],
)  # fmt: skip
def test_the_oracle_grants_few_equalities(one: Any, other: Any, equal: bool) -> None:
    assert (oracle.normal(one) == oracle.normal(other)) is equal


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"\xff", json.dumps({"response": {"uid": "u", "allowed": 1}}).encode(), b"x" * 600_000,
     json.dumps({"response": {"uid": "u", "allowed": False}}).encode(),
     json.dumps({"response": {"uid": "v", "allowed": True}}).encode()],
    ids=lambda answer: answer[:30].decode("latin-1"),
)  # fmt: skip
def test_an_answer_of_bad_form_is_a_finding(answer: bytes) -> None:
    assert oracle.broken_form(answer, ["u"]) != ""
    assert oracle.broken_form(json.dumps({"response": {"uid": "u", "allowed": True}}).encode(), ["u"]) == ""


def test_the_oracle_reads_deep_lists() -> None:
    deep: Any = ["it's"]
    for _ in range(200):
        deep = [deep, {"a": [deep]}] if _ % 50 == 0 else [deep]
    assert len(repr(oracle.normal(deep))) < 100_000
    assert oracle.normal(deep) != oracle.normal([deep])
