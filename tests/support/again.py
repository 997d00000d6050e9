"""Owns which files of failed tests are tried once more, alone: `python -m tests.support.again` after a run of all.

Tests of real parts share two cores with others; one that the machine has stalled passes alone, and is named unstable.
What fails without a cluster, or in many files, or after a run that was broken off, is not tried again: it is broken.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

import click

_ROOT: Final = Path(__file__).parents[2]
_CACHE: Final = _ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
# Where pytest's cache keeps the exit status of the last run (tests/conftest.py).
STATUS: Final = "setscrew/status"
_STATUS: Final = _ROOT / ".pytest_cache" / "v" / STATUS
_REAL: Final = ("tests/integration/", "tests/reliability/")
_MOST_FILES, _FAILED = 4, 1


def files_to_try(status: int | None, failed: Collection[str]) -> list[str]:
    """Files of the tests (node ids) that `failed` in a run that ended with `status` (None: nobody knows)."""
    files = sorted({one.partition("::")[0] for one in failed})
    whole = status == _FAILED and 0 < len(files) <= _MOST_FILES
    return files if whole and all(one.startswith(_REAL) for one in files) else []


def _read(path: Path) -> object:
    return json.loads(path.read_text()) if path.is_file() else None


def main() -> None:
    """Exit with 0 where all that had failed passes now, else 1."""
    status, failed = _read(_STATUS), _read(_CACHE)
    names = sorted(failed) if isinstance(failed, dict) else []
    files = files_to_try(status if isinstance(status, int) else None, names)
    if not files:
        click.echo("again: nothing is tried once more (see tests/support/again.py)")
        sys.exit(1)
    done = subprocess.run([sys.executable, "-m", "pytest", *files], cwd=_ROOT, check=False)
    if done.returncode == 0:
        click.echo(f"again: UNSTABLE, failed beside others and passed alone: {', '.join(names)}")
    sys.exit(bool(done.returncode))


if __name__ == "__main__":
    main()
