"""Which objects are to be looked at, when, and since when nobody knows how they are."""

from __future__ import annotations

from reconciler.limits import DETECT_AT_ONCE, DETECT_GONE_SECONDS, DETECT_ONE_BY_ONE, DETECT_STORED
from reconciler.loop.marks import Marks, portions
from reconciler.model.ref import ObjectRef


def ref(name: str) -> ObjectRef:
    return ObjectRef("", "ConfigMap", "shop", name)


def test_marks_are_taken_when_they_are_due_and_not_too_many_at_a_time() -> None:
    now = [100.0]
    marks = Marks(lambda: now[0])
    marks.mark([ref("gone")], DETECT_GONE_SECONDS)
    marks.mark(ref(f"n{number}") for number in range(DETECT_AT_ONCE + 1))
    assert (marks.wait, marks.oldest, len(marks.take()), len(marks.take())) == (0.0, 100.0, DETECT_AT_ONCE, 1)
    assert (set(marks.take()), marks.wait) == (set(), DETECT_GONE_SECONDS)
    now[0] += DETECT_GONE_SECONDS
    assert set(marks.take()) == {ref("gone")}
    assert marks.oldest == now[0]


def test_a_pass_covers_what_was_marked_before_it_began() -> None:
    now = [100.0]
    marks = Marks(lambda: now[0])
    marks.mark([ref("before"), ref("again")])
    now[0] = 101.0
    marks.mark([ref("again"), ref("after")])
    marks.forget(101.0)
    assert set(marks.take()) == {ref("again"), ref("after")}


def test_what_is_marked_again_is_unknown_since_the_first_time_until_it_was_looked_at() -> None:
    now = [100.0]
    marks = Marks(lambda: now[0])
    marks.mark([ref("one")])
    now[0] = 103.0
    marks.mark([ref("one")], DETECT_GONE_SECONDS)
    assert (marks.oldest, marks.wait) == (100.0, DETECT_GONE_SECONDS)
    now[0] = 104.0
    taken = marks.take()
    marks.again(taken, 5.0)
    assert (marks.oldest, marks.wait) == (100.0, 5.0)
    marks.mark([ref("one")])
    assert (marks.oldest, marks.wait) == (100.0, 0.0)
    marks.forget(102.0)
    assert marks.oldest == 102.0, "the pass has seen how it was then"


def test_what_is_marked_while_it_is_looked_at_in_vain_is_due_by_that_mark() -> None:
    now = [100.0]
    marks = Marks(lambda: now[0])
    marks.mark([ref("one")])
    taken = marks.take()
    now[0] = 101.0
    marks.mark([ref("one")])
    marks.again(taken, 5.0)
    assert (marks.oldest, marks.wait) == (100.0, 0.0)
    marks.forget(101.0)
    assert set(marks.take()) == {ref("one")}


def test_what_is_marked_now_does_not_wait_for_all_that_was_marked_before() -> None:
    now = [100.0]
    marks = Marks(lambda: now[0])
    marks.mark(ref(f"n{number:04}") for number in range(3 * DETECT_AT_ONCE))
    now[0] = 101.0
    marks.mark([ref("new")])
    taken = marks.take()
    assert (len(taken), ref("new") in taken, ref("n0000") in taken, marks.oldest) == (DETECT_AT_ONCE, True, True, 100.0)
    assert sum(len(marks.take()) for _ in range(3)) == 2 * DETECT_AT_ONCE + 1


def test_a_long_queue_is_looked_at_in_its_order_a_few_at_a_time_and_what_one_list_reads_all_at_once() -> None:
    few = [ref(f"n{number}") for number in range(2 * DETECT_STORED + 1)]
    many = [ObjectRef("apps", "Deployment", "shop", f"d{number}") for number in range(DETECT_ONE_BY_ONE + 1)]
    assert list(portions([*many[:7], *few, *many[7:]])) == [
        tuple(few[:DETECT_STORED]),
        tuple(few[DETECT_STORED : 2 * DETECT_STORED]),
        tuple(few[2 * DETECT_STORED :]),
        tuple(many),
    ]
    assert list(portions([])) == []
