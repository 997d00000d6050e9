"""Owns the limits of child processes: time, CPU, memory, output, environment, and that nothing is left running."""

from __future__ import annotations

import ast
import os
import resource
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

import pytest

from reconciler import limits
from reconciler.errors import RenderError, ToolMissingError
from reconciler.render import isolation
from reconciler.render.process import BASE_ENVIRONMENT, Limits, run, workspace
from tests.support.waiting import eventually


def python(home: Path, code: str, *, bounds: Limits | None = None, secrets: tuple[str, ...] = ()) -> str:
    done = run([sys.executable, "-I", "-c", code], home=home, name="child", bounds=bounds, secrets=secrets)
    return done.stderr + done.output.read_text()


def refused(home: Path, code: str, bounds: Limits | None = None) -> str:
    with pytest.raises(RenderError) as caught:
        python(home, code, bounds=bounds)
    return str(caught.value)


def test_a_child_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_TOKEN", "example")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    seen = python(tmp_path, "import os; print(sorted(os.environ.items()))")
    expected = {**BASE_ENVIRONMENT, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    assert dict(ast.literal_eval(seen)).items() - {("LC_CTYPE", "C.UTF-8"), ("PWD", str(tmp_path))} == expected.items()


@pytest.fixture(params=["isolated", "not isolated"])
def isolated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With a network namespace, where the machine lets us have one, and without."""
    if request.param == "not isolated":
        monkeypatch.setattr(isolation, "prefix", tuple)
    elif not isolation.prefix():
        pytest.skip("no namespaces for programs on this machine")
    return request.param == "isolated"


def test_an_isolated_child_reaches_nothing_not_even_this_machine(tmp_path: Path, isolated: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        code = f"import socket\ntry: socket.create_connection({place!r}, 5); print('in')\nexcept OSError: print('out')"
        assert python(tmp_path, code) == ("out\n" if isolated else "in\n")


def test_a_child_is_the_same_user_with_or_without_a_namespace(tmp_path: Path, isolated: bool) -> None:
    code = "import os; print(os.getuid(), os.getgid(), os.access('.', os.W_OK))"
    assert (isolated, python(tmp_path, code)) == (isolated, f"{os.getuid()} {os.getgid()} True\n")


def test_the_number_of_processes_is_bounded_in_a_namespace(tmp_path: Path, isolated: bool) -> None:
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC)[0])"
    ours = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    assert python(tmp_path, code) == f"{limits.RENDER_PROCESSES if isolated else ours}\n"


@pytest.mark.parametrize(
    ("there", "why"), [("", "util-linux"), ("/bin/false", "failed"), ("/nonexistent/x", "No such")]
)
def test_a_machine_without_namespaces_says_why(there: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation.shutil, "which", lambda _: there or None)
    found, reason = isolation._tried.__wrapped__()
    assert (found, why in reason) == ((), True)


def test_what_a_child_leaves_running_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(p.pid)"
    )
    grandchild = int(python(tmp_path, code))
    eventually(lambda: not _alive(grandchild), "the grandchild is gone")


def test_a_child_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid)); time.sleep(60)"
    )
    with pytest.raises(RenderError, match="took more than 1 s"):
        python(tmp_path, code, bounds=Limits(wall_seconds=1))
    grandchild = int((tmp_path / "pid").read_text())
    eventually(lambda: not _alive(grandchild), "the grandchild is gone")


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


MEMORY = 400 * limits.MIB


@pytest.mark.parametrize("bounds", [Limits(memory_bytes=MEMORY), Limits(address_bytes=MEMORY)], ids=["data", "address"])
def test_memory_is_bounded(tmp_path: Path, bounds: Limits) -> None:
    assert python(tmp_path, "print(len(b'x' * (200 << 20)))", bounds=bounds) == "209715200\n"
    assert refused(tmp_path, "b'x' * (900 << 20)", bounds) == "child ran out of memory [SS3018]"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("fatal error: runtime: out of memory", "memory [SS3018]"),
        ("runtime: failed to create new OS thread (have 61 already; errno=11)", "processes [SS3019]"),
        ("open a.yaml: too many open files", "open files [SS3019]"),
    ],
)
def test_what_a_tool_says_of_a_limit_gets_a_code(tmp_path: Path, words: str, why: str) -> None:
    assert refused(tmp_path, f"import sys; sys.exit({words!r})") == f"child ran out of {why}"


def test_open_files_are_bounded(tmp_path: Path) -> None:
    few = limits.RENDER_OPEN_FILES - 16
    keep = "kept = [open('/dev/null') for _ in range({})]"
    python(tmp_path, keep.format(few) + "; print(len(kept))")
    assert "ran out of open files [SS3019]" in refused(tmp_path, keep.format(limits.RENDER_OPEN_FILES))


def test_a_file_that_a_child_writes_is_bounded(tmp_path: Path) -> None:
    code = "open('big', 'wb').write(b'x' * {}); print('done')"
    bounds = Limits(output_bytes=2 * limits.MIB)
    assert python(tmp_path, code.format(2 * limits.MIB), bounds=bounds) == "done\n"
    with pytest.raises(RenderError, match=r"child (wrote a file of more than 2048 KiB|failed)"):
        python(tmp_path, _BY_SIGNAL + code.format(2 * limits.MIB + 1), bounds=bounds)


# Python passes over this signal, Go does not.
_BY_SIGNAL = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"


def test_no_more_children_than_places_run_at_a_time(tmp_path: Path) -> None:
    starts = tmp_path / "log"
    code = f"import os, time; f = os.open({str(starts)!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
    code += "os.write(f, b'+'); time.sleep(.3); os.write(f, b'-')"

    def one(number: int) -> None:
        (tmp_path / str(number)).mkdir()
        python(tmp_path / str(number), code)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(one, range(12)))
    running = list(accumulate(1 if sign == "+" else -1 for sign in starts.read_text()))
    assert len(running) == 24
    assert max(running) <= min(limits.RENDERS_AT_ONCE, os.cpu_count() or 1)


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
