"""Holds the order in which programs are looked for, with fake programs that print versions."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from setscrew.controlplane import binaries, build, cache
from setscrew.controlplane.binaries import Tools, ensure, find
from setscrew.controlplane.errors import BuildError, ToolMissingError
from setscrew.controlplane.pins import KUBERNETES, TOOLS
from tests.support.waiting import eventually

SAYS = {
    "etcd": "etcd Version: {}",
    "kube-apiserver": "Kubernetes v{}",
    "kube-controller-manager": "Kubernetes v{}",
    "kubectl": "Client Version: v{}",
    "helm": "v{}+gabcdef0",
}
RIGHT = {"etcd": "3.6.1", "kube-apiserver": "1.36.0", "kube-controller-manager": "1.36.3", "kubectl": "1.36.9"}
GO = """
echo "$CGO_ENABLED $*" >> {log}
/bin/sleep {seconds}
[ -f {fail} ] && {{ echo "one"; echo "cannot find module"; exit 1; }}
printf '#!/bin/sh\\necho built\\n' > "$6"
/bin/chmod +x "$6"
"""


class Machine:
    """A machine made of temporary directories: PATH, assets, home, and what fake programs wrote down."""

    def __init__(self, root: Path) -> None:
        self.root, self.log, self.fail = root, root / "go.log", root / "fail"
        self.path, self.assets = root / "path", root / "assets"
        self.environ = {"PATH": str(self.path), "HOME": str(root / "home")}
        self.stderr = io.StringIO()

    def program(self, folder: Path, name: str, text: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
        return folder / name

    def tool(self, folder: Path, name: str, version: str = "") -> Path:
        return self.program(folder, name, f'echo "{SAYS[name].format(version or RIGHT[name])}"')

    def with_go(self, seconds: float = 0) -> None:
        self.program(self.path, "go", GO.format(log=self.log, fail=self.fail, seconds=seconds))

    def cached(self, name: str) -> Path:
        return cache.bin_root(self.environ) / cache.digest(TOOLS[name].module, cache.modules_root())

    def ensure(self, *names: str) -> Tools:
        return ensure(names, environ=self.environ, stream=self.stderr)

    @property
    def builds(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_kubebuilder_assets_come_before_path(machine: Machine) -> None:
    machine.environ["KUBEBUILDER_ASSETS"] = str(machine.assets)
    wanted = machine.tool(machine.assets, "kubectl")
    machine.tool(machine.path, "kubectl")
    assert machine.ensure("kubectl").kubectl == wanted


def test_assets_of_another_version_are_passed_over(machine: Machine) -> None:
    machine.environ["KUBEBUILDER_ASSETS"] = str(machine.assets)
    machine.tool(machine.assets, "kube-apiserver", "1.30.0")
    wanted = machine.tool(machine.path, "kube-apiserver")
    assert machine.ensure("kube-apiserver").kube_apiserver == wanted


def test_path_comes_before_the_cache(machine: Machine) -> None:
    wanted = machine.tool(machine.path, "etcd")
    machine.tool(machine.cached("etcd"), "etcd")
    assert machine.ensure("etcd").etcd == wanted


def test_the_cache_comes_before_go(machine: Machine) -> None:
    machine.with_go()
    wanted = machine.tool(machine.cached("etcd"), "etcd")
    assert machine.ensure("etcd").etcd == wanted
    assert machine.builds == []


def test_setup_envtest_comes_before_go_and_go_makes_what_it_does_not_bring(machine: Machine) -> None:
    machine.with_go()
    _envtest(machine, version=RIGHT["kubectl"])
    tools = machine.ensure("kubectl", "kube-controller-manager")
    assert "Client Version" in tools.kubectl.read_text()
    assert tools.kubectl.parent == machine.cached("kubectl")
    (line,) = machine.builds
    assert line.endswith("k8s.io/kubernetes/cmd/kube-controller-manager")


def test_a_download_of_another_version_is_not_kept(machine: Machine) -> None:
    machine.with_go()
    _envtest(machine, version="1.35.2")
    assert "built" in machine.ensure("kubectl").kubectl.read_text()


@pytest.mark.parametrize("text", ["exit 1", "echo /no/such/folder", "/bin/sleep 5"])
def test_a_failing_setup_envtest_is_no_error(machine: Machine, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(build, "DOWNLOAD_SECONDS", 0.5)
    machine.with_go()
    machine.program(machine.path, "setup-envtest", f"exec {text}" if "sleep" in text else text)
    assert "built" in machine.ensure("kubectl").kubectl.read_text()


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("kubectl", "1.32.4-dispatcher"),
        ("kubectl", "1.37.0"),
        ("kubectl", "1.360.0"),
        ("kube-apiserver", "1.35.9"),
        ("etcd", "3.5.21"),
        ("helm", "3.19.0"),
        ("helm", "40.0.0"),
    ],
)
def test_a_wrong_version_on_path_is_rejected_by_name(machine: Machine, name: str, version: str) -> None:
    machine.with_go()
    wrong = machine.tool(machine.path, name, version)
    assert machine.ensure(name).path(name) == machine.cached(name) / name
    assert f"passed over: {wrong} is {version}" in machine.stderr.getvalue()


def test_a_right_version_later_on_path_is_found(machine: Machine) -> None:
    machine.tool(machine.path, "kubectl", "1.32.4")
    wanted = machine.tool(machine.root / "later", "kubectl")
    machine.environ["PATH"] += f":{machine.root / 'later'}"
    assert machine.ensure("kubectl").kubectl == wanted
    assert machine.stderr.getvalue() == ""


@pytest.mark.parametrize("text", ["exit 1", "echo nonsense", "exec /bin/sleep 5", "printf 'Client Version: \\377'"])
def test_a_program_that_does_not_tell_its_version_is_passed_over(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(binaries, "VERSION_SECONDS", 0.5)
    machine.program(machine.path, "kubectl", text)
    assert find("kubectl", environ=machine.environ) is None


def test_a_file_that_cannot_be_run_is_passed_over(machine: Machine) -> None:
    machine.environ["KUBEBUILDER_ASSETS"] = str(machine.assets)
    machine.tool(machine.assets, "kubectl").chmod(0o644)
    assert find("kubectl", environ=machine.environ) is None


def test_without_go_the_error_says_what_to_do(machine: Machine) -> None:
    machine.tool(machine.path, "kubectl", "1.32.4")
    with pytest.raises(ToolMissingError) as caught:
        machine.ensure("kubectl", "helm", "kube-apiserver")
    text = str(caught.value)
    assert "not found: kubectl 1.36, helm 4, kube-apiserver 1.36;" in text
    assert "install Go 1.26 or newer" in text
    assert "KUBEBUILDER_ASSETS" in text
    assert "\n" not in text


def test_a_failed_build_shows_its_last_lines_and_leaves_nothing(machine: Machine) -> None:
    machine.with_go()
    machine.fail.touch()
    with pytest.raises(BuildError, match="cannot find module"):
        machine.ensure("etcd")
    assert [path.name for path in machine.cached("etcd").iterdir()] == [".lock"]


def test_only_what_is_missing_is_built_with_the_pinned_flags(machine: Machine) -> None:
    machine.with_go()
    machine.tool(machine.path, "etcd")
    machine.ensure("etcd", "kubectl")
    (line,) = machine.builds
    flags = "-X k8s.io/component-base/version.gitVersion=v1.36.3 -X k8s.io/component-base/version.gitMajor=1"
    assert line.startswith(f"0 build -trimpath -ldflags -s -w {flags}")
    machine.ensure("etcd", "kubectl")
    assert len(machine.builds) == 1


def test_parallel_callers_build_once(machine: Machine) -> None:
    machine.with_go(seconds=0.7)
    _at_once(4, lambda: machine.ensure("etcd"))
    assert len(machine.builds) == 1
    assert "another process builds the control plane" in machine.stderr.getvalue()


def test_what_a_killed_build_left_is_removed(machine: Machine) -> None:
    machine.with_go()
    half = machine.cached("etcd") / ".build-killed"
    machine.program(half, "etcd", "")
    assert machine.ensure("etcd").etcd.parent == machine.cached("etcd")
    assert not half.exists()


def test_a_build_that_is_ended_ends_its_compiler(machine: Machine) -> None:
    # The shell becomes the sleep, so that what is ended is what works.
    machine.program(machine.path, "go", f'echo "$$" > {machine.log}; exec /bin/sleep 600')
    command = [sys.executable, "-m", "setscrew.controlplane", "build", "etcd"]
    building = subprocess.Popen(command, env=machine.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    compiler = int(eventually(lambda: "".join(machine.builds), "the compiler's start"))
    building.terminate()
    assert building.wait(60) == 1
    eventually(lambda: not Path(f"/proc/{compiler}").exists(), "the compiler's end")


def test_another_lock_file_or_flag_gives_another_place(tmp_path: Path) -> None:
    copy = tmp_path / "tools"
    shutil.copytree(cache.modules_root() / "kubernetes", copy / "kubernetes")
    before = cache.digest(KUBERNETES, copy)
    assert before == cache.digest(KUBERNETES, cache.modules_root())
    with (copy / "kubernetes" / "go.sum").open("a") as handle:
        handle.write("\n")
    assert cache.digest(KUBERNETES, copy) != before


def test_the_cache_follows_xdg() -> None:
    assert cache.bin_root({"XDG_CACHE_HOME": "/elsewhere", "HOME": "/home/x"}) == Path("/elsewhere/setscrew/bin")
    assert cache.bin_root({"XDG_CACHE_HOME": "relative", "HOME": "/home/x"}) == Path("/home/x/.cache/setscrew/bin")


def test_a_tool_that_was_not_asked_for_is_an_error(machine: Machine) -> None:
    machine.tool(machine.path, "etcd")
    with pytest.raises(ToolMissingError, match="helm was not asked for"):
        _ = machine.ensure("etcd").helm


def _envtest(machine: Machine, version: str) -> None:
    """A setup-envtest that brings a kubectl in a read-only directory, as the real one does."""
    source = machine.tool(machine.root / "download", "kubectl", version)
    text = f'echo "$*" >> {machine.root}/envtest.log; /bin/mkdir -p "$6/k8s"; /bin/cp {source} "$6/k8s/"; '
    machine.program(machine.path, "setup-envtest", text + '/bin/chmod 555 "$6/k8s"; echo "$6/k8s"')


def _at_once(count: int, call: Callable[[], object]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - a thread would swallow it
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
