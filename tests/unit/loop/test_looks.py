"""Looks at Git are shared by all who asked before they began; what one has seen is told while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice

from reconciler.loop.looks import Look, Looks, Seen
from tests.support.waiting import eventually


class Remote:
    """Looks that begin, see that their source is ahead, and end when told to."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.gates: dict[str, threading.Event] = {}

    def look(self, name: str, look: Look, noted: Callable[[], None]) -> None:
        self.began.append(name)
        look.ahead = True
        noted()
        assert self.gates.setdefault(name, threading.Event()).wait(20)

    def end(self, name: str) -> None:
        self.gates.setdefault(name, threading.Event()).set()


def joined(looks: Looks, *names: str) -> Iterator[Seen]:
    """Somebody who has asked, and has heard the first news."""
    heard = looks.at(names)
    assert next(heard).ahead
    return heard


def test_all_who_ask_during_a_look_share_the_next_one() -> None:
    remote = Remote()
    looks = Looks(remote.look)
    askers = [joined(looks, "shop") for _ in range(21)]
    assert remote.began == ["shop"]
    remote.end("shop")
    assert [list(heard)[-1] for heard in askers] == [Seen(settled=True, ended=True)] * 21
    assert remote.began == ["shop", "shop"]


def test_a_source_that_is_seen_ahead_is_told_at_once_also_to_those_who_wait_for_their_turn() -> None:
    remote = Remote()
    looks = Looks(remote.look)
    assert list(islice(looks.at(["shop"]), 1)) == [Seen(("shop",))]
    assert list(islice(looks.at(["shop"]), 1)) == [Seen(("shop",))]
    remote.end("shop")


def test_nobody_waits_for_a_source_that_they_did_not_name() -> None:
    remote = Remote()
    looks = Looks(remote.look)
    waiting = joined(looks, "gone", "shop")
    eventually(lambda: len(remote.began) == 2, "both looks")
    remote.end("shop")
    assert list(looks.at(["shop"]))[-1] == Seen(settled=True, ended=True)
    assert not next(waiting).ended
    remote.end("gone")
    assert list(waiting)[-1] == Seen(settled=True, ended=True)


def test_why_a_source_could_not_be_read_is_told() -> None:
    def look(name: str, look: Look, noted: Callable[[], None]) -> None:
        look.failed = "it is gone"

    assert list(Looks(look).at(["shop"]))[-1] == Seen(failed={"shop": "it is gone"}, settled=True, ended=True)


def test_a_look_is_made_anew_for_who_asks_later_and_none_for_no_source() -> None:
    calls = []

    def look(name: str, look: Look, noted: Callable[[], None]) -> None:
        calls.append(name)

    looks = Looks(look)
    assert list(looks.at([])) == [Seen(settled=True, ended=True)]
    assert [list(looks.at(["shop"]))[-1].ended for _ in range(2)] == [True, True]
    assert calls == ["shop", "shop"]
