"""Looks at Git are shared by all who asked before they began; what one has seen is told while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

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


def test_a_push_during_a_look_is_seen_by_a_look_of_its_own() -> None:
    """The look under way has read Git already, so whoever comes with a push is answered by the next generation."""
    pushed, read, go = "", list[str](), threading.Event()

    def look(name: str, look: Look, noted: Callable[[], None]) -> None:
        look.failed, look.ahead = pushed, True
        read.append(pushed)
        noted()
        assert go.wait(20)

    looks, heard = Looks(look), []
    for push in ("first", "second", "third"):
        pushed = push
        heard.append(joined(looks, "shop"))
    go.set()
    assert [list(one)[-1].failed["shop"] for one in heard] == ["first", "third", "third"]
    assert read == ["first", "third"]


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


def test_a_look_that_no_thread_could_be_had_for_does_not_keep_later_ones_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    looks = Looks(lambda *_: None)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError):
            next(looks.at(["shop"]))
    told = list[Seen]()
    threading.Thread(target=lambda: told.extend(looks.at(["shop"])), daemon=True).start()
    eventually(lambda: bool(told) and told[-1].ended, "the end of the next look")


def test_a_look_that_fails_unforeseen_ends_and_so_does_the_one_that_waits_for_its_turn() -> None:
    gate = threading.Event()

    def look(name: str, look: Look, noted: Callable[[], None]) -> None:
        look.ahead = True
        noted()
        assert gate.wait(20)
        raise RuntimeError("unforeseen")

    looks = Looks(look)
    waiting = [joined(looks, "shop"), joined(looks, "shop")]
    gate.set()
    told = list[Seen]()
    threading.Thread(target=lambda: told.extend(list(one)[-1] for one in waiting), daemon=True).start()
    eventually(lambda: len(told) == len(waiting), "the end of both")
    assert all("RuntimeError" in one.failed["shop"] for one in told)
