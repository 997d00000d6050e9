"""How a step is judged, and how it is shown: what differs from the announcement can never look right."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from setscrew.demo import story
from setscrew.demo.player import USERNAMES, judge
from setscrew.demo.show import Show, typed
from setscrew.demo.step import Check, Held, Outcome, Step

DENIAL = 'Error from server (Forbidden): admission webhook "apps-v1.guard.setscrew.dev" denied the request: no\n'
STEP = Step("A title", "Why it matters.", ("kubectl", "delete", "deployment", "web"), "refused", says=("no",))


@pytest.mark.parametrize(
    ("status", "output", "answer"),
    [
        (0, "deployment.apps/web scaled\n", "allowed"),
        (1, DENIAL, "refused"),
        (0, "guard.setscrew.dev denied the request, says a file that was printed", "allowed"),
        (1, 'admission webhook "policy.example.com" denied the request: no', "failed"),
        (1, 'failed calling webhook "apps-v1.guard.setscrew.dev": connection refused', "failed"),
        (1, 'Error from server (NotFound): deployments.apps "web" not found', "failed"),
        (1, "OBJECT   CHANGE   SINCE   WHO   DECLARED IN\n", "drift"),
        (5, "OBJECT   CHANGE   SINCE   WHO   DECLARED IN\n", "failed"),
    ],
)
def test_only_a_denial_by_our_own_webhook_counts_as_refused(status: int, output: str, answer: str) -> None:
    assert judge(status, output) == answer


def test_a_step_is_right_only_with_its_answer_its_words_and_its_effects() -> None:
    check = Check("it is there", lambda _: "web", "web")
    right = Outcome(STEP, "refused", DENIAL, 0.1, (Held(check, "web", 0.2),))
    assert right.right
    assert not replace(right, answer="allowed").right
    assert not replace(right, output="something else").right
    assert not replace(right, held=(Held(check, "", 0.2),)).right


def _shown(outcome: Outcome, width: int = 40) -> str:
    out = io.StringIO()
    with Show(Console(file=out, width=width), 1) as show:
        show.announce(outcome.step, outcome.step.argv)
        show.outcome(outcome)
        show.closing([outcome])
    return out.getvalue()


@pytest.mark.parametrize(
    "output",
    [
        "x" * 500 + "\n",
        "a\ttab and [bold]markup[/] and :smile:\n",
        "remote: done        \nremote: \n",
        "  indented \x07 bell \x1b[31mred\x1b[0m\n",
        "ö — ✓ 日本語\n" * 3,
    ],
    ids=["long", "markup", "trailing blanks", "control characters", "wide"],
)
def test_what_a_command_prints_is_shown_byte_for_byte(output: str) -> None:
    assert f"\n{output}" in _shown(Outcome(STEP, "refused", output, 0.1))


def test_a_wrong_answer_is_marked_and_counted() -> None:
    text = _shown(Outcome(STEP, "allowed", "deleted\n", 0.1))
    assert "Expected: refused" in text
    assert "✗ allowed" in text
    assert "✗ the answer does not contain 'no'" in text
    assert "0 of 1 steps were answered as announced" in text


def test_a_wrong_effect_says_what_was_expected_and_what_was_seen() -> None:
    held = Held(Check("the twin is gone", lambda _: "", ""), "deployment.apps/web", 60.0)
    text = _shown(Outcome(STEP, "refused", DENIAL, 0.1, (held,)))
    assert "✗ expected: the twin is gone (''); seen: 'deployment.apps/web'" in text


def test_commands_are_shown_so_that_a_shell_takes_them() -> None:
    assert typed(("kubectl", "patch", "x", "-p", '{"a": 1}')) == """kubectl patch x -p '{"a": 1}'"""
    assert typed(("kubectl", "create", "-f", "-"), "kind: X\n") == "kubectl create -f - <<'EOF'\nkind: X\nEOF"
    assert typed(("kubectl", "edit", "x"), editor="sed -i 's/a/b/'").startswith(
        "KUBE_EDITOR=\"sed -i 's/a/b/'\" kubectl"
    )


def test_without_a_terminal_there_are_no_colours_and_no_bar() -> None:
    assert "\x1b" not in _shown(Outcome(STEP, "refused", DENIAL, 0.1))


def test_each_step_of_the_story_says_why_names_a_known_person_and_has_a_title_of_its_own() -> None:
    steps = story.steps()
    assert len({step.title for step in steps}) == len(steps)
    for step in steps:
        assert step.why.endswith(".")
        assert step.who in USERNAMES
        assert step.argv[0] in {"kubectl", "git", "setscrew"}
        assert step.says or step.checks or step.expect == "allowed"


def test_each_refused_step_looks_at_what_must_not_have_changed() -> None:
    refused = [step for step in story.steps() if step.expect == "refused"]
    assert len(refused) >= 10
    assert all(step.checks and step.says for step in refused)
