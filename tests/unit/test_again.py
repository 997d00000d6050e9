"""What is tried once more is what a stalled machine can have failed, never what is broken."""

from __future__ import annotations

from tests.support.again import files_to_try

ONE = "tests/integration/test_run.py::test_it_runs"


def test_the_whole_file_of_a_failed_test_of_real_parts_is_tried_again() -> None:
    failed = [ONE, "tests/integration/test_run.py::test_more[a]", "tests/reliability/test_away.py::test_it"]
    assert files_to_try(1, failed) == ["tests/integration/test_run.py", "tests/reliability/test_away.py"]


def test_what_fails_without_a_cluster_is_broken() -> None:
    assert files_to_try(1, [ONE, "tests/unit/test_order.py::test_it"]) == []


def test_what_fails_in_many_files_is_broken() -> None:
    assert files_to_try(1, [f"tests/integration/test_{number}.py::test_it" for number in range(5)]) == []


def test_a_run_that_was_broken_off_proves_nothing_of_the_rest() -> None:
    assert [files_to_try(status, [ONE]) for status in (None, 0, 2, 3)] == [[], [], [], []]


def test_a_run_without_a_failed_test_is_not_saved_by_trying_nothing() -> None:
    assert files_to_try(1, []) == []
