"""A denial names who signed what Git declares: for people, in plain text, and never at the cost of the way out."""

from __future__ import annotations

from dataclasses import replace

from tests.support.decisions import SOURCE
from webhook.decision import message


def told(signer: str) -> str:
    return message._at(replace(SOURCE, signer=signer))


def test_the_signer_stands_behind_the_commit() -> None:
    signer = "dana@example.com (SHA256:oXlBPvkyb3OHr4hwcRtQVuTYxnCTP9b+9MR54bJPKJs)"
    assert told(signer) == (
        f'at {"ab" * 6} ("Sell more") signed by {signer} of source shop (https://git.example/shop.git)'
    )


def test_where_no_signature_is_asked_for_nobody_is_named() -> None:
    assert "signed" not in told("")


def test_what_a_key_s_owner_calls_himself_moves_no_terminal() -> None:
    assert told("Eve\x1b[31m\n").isprintable()


def test_the_longest_signer_is_shown_whole() -> None:
    longest = f"{'x' * 45} (SHA256:{'y' * 43})"
    assert longest in told(longest)
