"""A log is followed through renames, cuts and restarts: no line twice, none left out that is still there."""

from __future__ import annotations

from pathlib import Path

import pytest

import reconciler.cluster.audit_log as module
from reconciler.cluster.audit_log import AuditLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "audit.log"
    path.write_text("before\n")
    return path


@pytest.fixture
def log(path: Path) -> AuditLog:
    """A log that was looked at once."""
    log = AuditLog(path)
    assert list(log.lines()) == []
    return log


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def rotate(path: Path, stamp: str, text: str = "") -> None:
    path.rename(path.with_name(f"audit-{stamp}.log"))
    path.write_text(text)


def test_it_begins_at_the_present_end(log: AuditLog, path: Path) -> None:
    add(path, "one\ntwo\n")
    assert list(log.lines()) == [b"one", b"two"]
    assert list(log.lines()) == []


def test_half_a_line_waits_for_its_end(log: AuditLog, path: Path) -> None:
    add(path, "one\ntw")
    assert list(log.lines()) == [b"one"]
    add(path, "o\n")
    assert list(log.lines()) == [b"two"]


def test_what_was_written_before_and_after_a_rename_is_read(log: AuditLog, path: Path) -> None:
    add(path, "one\n")
    rotate(path, "2030-01-02T12-00-00.000", "two\n")
    assert list(log.lines()) == [b"one", b"two"]
    add(path, "three\n")
    assert list(log.lines()) == [b"three"]
    assert log.lost == 0


def test_a_rename_between_the_look_and_the_reading_loses_nothing(
    log: AuditLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(path, "one\n")
    listed = AuditLog._parts

    def then_renamed(self: AuditLog) -> list[tuple[Path, int]]:
        parts = listed(self)
        monkeypatch.undo()
        rotate(path, "2030-01-02T12-00-00.000", "two\n")
        return parts

    monkeypatch.setattr(AuditLog, "_parts", then_renamed)
    assert [*log.lines(), *log.lines()] == [b"one", b"two"]
    assert log.lost == 0


def test_several_renames_between_two_looks_lose_nothing(log: AuditLog, path: Path) -> None:
    for number in range(3):
        add(path, f"{number}\n")
        rotate(path, f"2030-01-02T12-00-0{number}.000")
    add(path, "last\n")
    assert list(log.lines()) == [b"0", b"1", b"2", b"last"]
    assert log.lost == 0


def test_a_restart_goes_on_where_the_process_before_it_ended(log: AuditLog, path: Path) -> None:
    add(path, "one\n")
    list(log.lines())
    add(path, "two\n")
    rotate(path, "2030-01-02T12-00-00.000", "three\n")
    again = AuditLog(path, log.place)
    assert list(again.lines()) == [b"two", b"three"]


def test_a_log_that_was_cut_is_read_anew_and_the_gap_is_told(log: AuditLog, path: Path) -> None:
    add(path, "one\n" * 100)
    list(log.lines())
    path.write_text("new\n")
    assert list(log.lines()) == [b"new"]
    assert log.lost == 1


def test_a_part_that_is_gone_is_a_gap(log: AuditLog, path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.write_text("new\n")
    assert list(log.lines()) == [b"new"]
    assert log.lost == 1


def test_a_line_of_any_length_is_dropped_and_told(log: AuditLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AUDIT_LINE_BYTES", 1000)
    monkeypatch.setattr(module, "_CHUNK", 300)
    add(path, "x" * 5000 + "\none\n")
    assert list(log.lines()) == [b"one"]
    assert log.lost == 1
    add(path, "two\n")
    assert list(log.lines()) == [b"two"]


def test_a_log_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(AuditLog(tmp_path / "audit.log").lines())
