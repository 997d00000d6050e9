"""Holds docs/performance.md to what the benchmark writes: the table shows the record, and names what is missed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "bench"))

from support.figures import GOALS, MARKS, Pair, Record, dump, load, missed, table  # noqa: E402
from support.page import placed  # noqa: E402

PAGE = (ROOT / "docs" / "performance.md").read_text()


def record(**figures: Pair) -> Record:
    named = {name.replace("_", " "): pair for name, pair in figures.items()}
    return Record("two cores", "22 November 2026", "abc", "make bench", 50_000, named, ["A note."])


def row(one: Record) -> str:
    return next(line for line in table(one).splitlines() if line.startswith("| allow"))


@pytest.mark.parametrize(
    ("ours", "go", "says"),
    [
        (0.25, 0.5, "aim met, 2.0 × Go"),
        (0.3, 0.3, "aim met, 1.0 × Go"),
        (0.4, 0.5, "met, 1.2 × Go"),
        (0.6, 0.5, "**missed**, **behind Go (0.83 ×)**"),
    ],
)
def test_a_time_is_held_against_what_is_wanted_and_against_go(ours: float, go: float, says: str) -> None:
    one = record(allow_c1_p50=Pair(ours, go))
    assert row(one).endswith(f" | {says} |")
    assert missed(one) == (["allow c1 p50"] if "**" in says else [])


def test_of_decisions_a_second_more_is_better() -> None:
    assert row(record(allow_per_core=Pair(5000, 2500))).endswith(
        "| ≥ 3,300 | ≥ 4,200 | 5,000 | 2,500 | aim met, 2.0 × Go |"
    )


def test_what_go_is_not_asked_for_has_no_race() -> None:
    lines = table(record(pss_10000=Pair(61.26, 20.0))).splitlines()
    assert "| memory at 10,000 guarded objects (MB) | ≤ 60 | ≤ 50 | 61.3 | 20 | **missed** |" in lines


def test_no_two_goals_have_one_name() -> None:
    assert len({goal.key for goal in GOALS}) == len({goal.label for goal in GOALS}) == len(GOALS)


def test_a_record_is_read_as_it_was_written() -> None:
    one = record(allow_c1_p50=Pair(0.25, 0.5), start=Pair(1.0))
    assert load(dump(one)) == one


def test_the_table_takes_its_place_and_nothing_else() -> None:
    one = record(start=Pair(0.4))
    page = placed(PAGE, table(one), MARKS)
    assert table(one) in page
    assert placed(page, table(load((ROOT / "bench" / "record.json").read_bytes())), MARKS) == PAGE


def test_the_page_shows_what_was_recorded_last_of_every_goal() -> None:
    last = load((ROOT / "bench" / "record.json").read_bytes())
    assert table(last) in PAGE
    assert [goal.key for goal in GOALS if goal.key not in last.figures] == []


def test_without_go_one_line_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "git").symlink_to(shutil.which("git") or "")
    command = [sys.executable, str(ROOT / "bench" / "serving.py"), "--only", "start"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(tmp_path)}, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.splitlines()[1:] == [
        "bench: there is no Go to build the server to compare with: install Go 1.26 or newer (https://go.dev/dl)"
    ]
