"""Owns the limits of child processes: time, CPU, memory, output, environment, and that nothing is left running."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from reconciler import limits
from reconciler.errors import RenderError, ToolMissingError
from reconciler.render.process import Limits, run, workspace


def python(home: Path, code: str, *, bounds: Limits | None = None, secrets: tuple[str, ...] = ()) -> str:
    done = run([sys.executable, "-I", "-c", code], home=home, name="child", bounds=bounds, secrets=secrets)
    return done.stderr + done.output.read_text()


def test_a_child_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_TOKEN", "example")
    seen = python(tmp_path, "import os; print(sorted(os.environ))")
    assert "EXAMPLE_TOKEN" not in seen
    assert "'HOME', 'HTTPS_PROXY'" in seen


def test_a_child_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid)); time.sleep(60)"
    )
    with pytest.raises(RenderError, match="took more than 1 s"):
        python(tmp_path, code, bounds=Limits(wall_seconds=1))
    grandchild = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while _alive(grandchild) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(grandchild)


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_child_that_burns_its_cpu_time_is_killed(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="used more than 1 s of CPU"):
        python(tmp_path, "while True: pass", bounds=Limits(wall_seconds=20, cpu_seconds=1))


def test_output_beyond_the_cap_is_refused_and_never_written(tmp_path: Path) -> None:
    bounds = Limits(output_bytes=2 * limits.MIB)
    with pytest.raises(RenderError, match="printed more than 2048 KiB"):
        python(tmp_path, "import sys\nwhile True: sys.stdout.write('x' * 65536)", bounds=bounds)
    assert max(file.stat().st_size for file in tmp_path.iterdir()) <= 2 * limits.MIB


def test_memory_is_bounded(tmp_path: Path) -> None:
    told = python(tmp_path, "b'x' * (900 << 20)", bounds=Limits(memory_bytes=400 * limits.MIB))
    assert "MemoryError" in told


def test_a_child_that_dies_of_a_signal_is_named(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="child died of SIGSEGV"):
        python(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")


def test_no_core_is_dumped(tmp_path: Path) -> None:
    assert "(0, 0)" in python(
        tmp_path, "import time, resource; time.sleep(.2); print(resource.getrlimit(resource.RLIMIT_CORE))"
    )


def test_secrets_and_user_information_do_not_come_back(tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('bad hunter22 at https://u:pw@host/x')"
    assert python(tmp_path, code, secrets=("hunter22",)) == "bad *** at https://***@host/x"


def test_a_missing_program_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match="cannot run helm"):
        run([str(tmp_path / "helm")], home=tmp_path, name="helm")


def test_a_workspace_is_private_and_leaves_nothing() -> None:
    with workspace() as home:
        assert (home.stat().st_mode & 0o777, home.stat().st_uid) == (0o700, os.getuid())
    assert not home.exists()
