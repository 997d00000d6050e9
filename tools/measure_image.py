"""Tries an unpacked image and times its start: `tools/build_image.py` calls it; `--record` writes docs/reference/image.md.

Nothing of a container engine is needed: the image's file system is mounted read-only in namespaces of its own, and its
programs run there as the image's own user, with the directories that a pod mounts. So the time in which an engine makes
a container, and a node fetches an image, is not in the figures. Root, Linux.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import ssl
import stat
import statistics
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

import click

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "reference" / "image.md"
STATE: Final = "/var/lib/setscrew"
_PATIENCE_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.005
_BEGIN: Final = """\
set -eu
root=$1 state=$2 config=$3 user=$4; shift 4
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount --bind "$state" "$root/var/lib/setscrew"
mount --bind "$config" "$root/etc/setscrew"
mount -o remount,bind,ro "$root/etc/setscrew"
exec chroot --userspec="$user" --groups="${user#*:}" "$root" /usr/bin/env -i -C /tmp "$@"
"""
# What a repository may hold, once each: Setscrew has to find git, helm and kustomize in the image to enforce all three.
_REPOSITORY: Final = {
    "plain/web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain, namespace: shop}\ndata: {a: '1'}\n",
    "chart/Chart.yaml": "apiVersion: v2\nname: cache\nversion: 1.0.0\n",
    "chart/templates/web.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}', namespace: shop}\ndata: {a: '1'}\n"
    ),
    "overlay/kustomization.yaml": "resources: [web.yaml]\nnamePrefix: over-\n",
    "overlay/web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: laid, namespace: shop}\ndata: {a: '1'}\n",
}
_SOURCES: Final = ("plain", "chart", "overlay")
# Each has to end well; ssh asks who it is before all else.
PROGRAMS: Final = {
    "helm": ("helm", "version", "--short"),
    "kubectl": ("kubectl", "version", "--client"),
    "git": ("git", "--version"),
    "gpg": ("gpg", "--version"),
    "ssh": ("ssh", "-G", "git.example.com"),
}


class TryError(Exception):
    """The image does not do what it is for."""


@dataclass(frozen=True, slots=True)
class Image:
    """An unpacked image, the settings in it, and what stands for a pod's two volumes."""

    root: Path
    settings: Mapping[str, Any]
    state: Path
    config: Path

    def command(self, *words: str, entry: bool = True) -> list[str]:
        """What starts `words` in it, behind the image's entry point unless `entry` is False."""
        begin = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _BEGIN, "sh"]
        places = [str(self.root), str(self.state), str(self.config), self.settings["User"]]
        start = [*self.settings["Env"], "setpriv", "--no-new-privs", *(self.settings["Entrypoint"] if entry else ())]
        return [*begin, *places, *start, *words]

    def run(self, *words: str, entry: bool = True) -> str:
        """Its stdout. Raises TryError."""
        done = subprocess.run(self.command(*words, entry=entry), check=False, capture_output=True, text=True)
        if done.returncode:
            raise TryError(f"{' '.join(words)}: status {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def serving(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """A long-running command, ended at the end as a kubelet ends it. Raises TryError where it ends otherwise."""
        process = subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL)
        try:
            yield process
            first = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
            os.kill(int(first), signal.SIGTERM)
            if status := process.wait(_PATIENCE_SECONDS):
                raise TryError(f"{' '.join(words)}: ended with status {status} when it was asked to end")
        finally:
            process.kill()
            process.wait()


@dataclass(slots=True)
class Figures:
    """What was measured: bytes, and seconds of each start. `load` is the machine's own when they began."""

    packed: int
    unpacked: dict[str, int]
    version: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    first: float = 0.0
    programs: dict[str, str] = field(default_factory=dict)
    load: float = 0.0


def packed(archive: Path) -> int:
    """Bytes of all layers of an OCI archive, compressed as a registry keeps them."""
    with tarfile.open(archive) as content:

        def blob(digest: str) -> Any:
            return json.load(content.extractfile(f"blobs/{digest.replace(':', '/')}"))  # type: ignore[arg-type]

        index = json.load(content.extractfile("index.json"))  # type: ignore[arg-type]
        return sum(layer["size"] for layer in blob(index["manifests"][0]["digest"])["layers"])


def unpacked(root: Path) -> dict[str, int]:
    """Bytes of its files, by part; a file with several names counts once."""
    parts = {
        "helm": "usr/local/bin/helm",
        "kubectl, which is kustomize too": "usr/local/bin/kubectl",
        "Setscrew and the Python distributions it needs": "opt/setscrew",
    }
    seen: set[tuple[int, int]] = set()
    sizes = {name: _bytes(root / place, seen) for name, place in parts.items()}
    return {**sizes, "Debian, with Python, git, gpg, ssh": _bytes(root, seen)}


def _bytes(place: Path, seen: set[tuple[int, int]]) -> int:
    total = 0
    for path in [place, *place.rglob("*")]:
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            total += found.st_size
    return total


def tried(image: Image, figures: Figures, starts: int) -> None:
    """Fill in what is found by running it. Raises TryError."""
    for name, words in PROGRAMS.items():
        figures.programs[name] = image.run(*words, entry=False).split("\n")[0]
    if image.run("id", "-u", entry=False).strip() != image.settings["User"].partition(":")[0]:
        raise TryError("it does not run as its own user")
    written = 'for place in / /etc /opt/setscrew /var/lib; do ! touch "$place/x" 2>&1 || exit 1; done'
    image.run("sh", "-c", written, entry=False)
    for _ in range(starts):
        began = time.monotonic()
        image.run("--version")
        figures.version.append(time.monotonic() - began)
    port = free_port()
    address = ["--state", STATE, "--listen-metrics", ""]
    begin = ["run", *address, "--config", "/etc/setscrew", "--allow-local-sources", "--no-register"]
    listen = ["--listen-admission", f"127.0.0.1:{port}", "--listen-api", f"127.0.0.1:{free_port()}"]
    began = time.monotonic()
    with image.serving(*begin, *listen) as process:
        figures.first = _ready(port, process) - began
        _enforced(image)
    for _ in range(starts):
        port, began = free_port(), time.monotonic()
        with image.serving("serve", *address, "--listen", f"127.0.0.1:{port}") as process:
            figures.ready.append(_ready(port, process) - began)


def _ready(port: int, process: subprocess.Popen[bytes]) -> float:
    """When it said that it is ready to judge. Raises TryError."""
    trusting = ssl._create_unverified_context()  # noqa: S323 - on loopback, and nothing is said to it
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"https://127.0.0.1:{port}/readyz", context=trusting, timeout=5) as answer:
                if answer.status == 200:
                    return time.monotonic()
        except (URLError, OSError):
            time.sleep(_POLL_SECONDS)
    raise TryError(f"not ready within {_PATIENCE_SECONDS:.0f} seconds, or ended")


def _enforced(image: Image) -> None:
    """Each of the three kinds of source is rendered. Raises TryError."""
    deadline, told = time.monotonic() + _PATIENCE_SECONDS, ""
    while time.monotonic() < deadline:
        try:  # it ends well once all of them are ready
            told = image.run("source", "list", "--state", STATE, "-o", "json")
        except TryError as error:
            told = str(error)
        else:
            if {one["name"] for one in json.loads(told)["items"]} == set(_SOURCES):
                return
        time.sleep(0.2)
    raise TryError(f"not all sources are rendered: {told}")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def prepared(root: Path, settings: Mapping[str, Any]) -> Iterator[Image]:
    """The image with a repository and sources of it, both its own user's."""
    user, group = map(int, settings["User"].split(":"))
    with tempfile.TemporaryDirectory(prefix="setscrew-image-") as place:
        state, config = Path(place) / "state", Path(place) / "config"
        for name, text in _REPOSITORY.items():
            path = state / "repository" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git = ["git", "-C", str(state / "repository"), "-c", "user.name=image", "-c", "user.email=image@example.com"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "One of each"]):
            subprocess.run([*git, *words], check=True)
        config.mkdir()
        for name in _SOURCES:
            spec = {"url": f"file://{STATE}/repository", "ref": {"branch": "main"}, "path": name}
            document = {"apiVersion": "setscrew.dev/v1alpha1", "kind": "GitSource", "metadata": {"name": name}}
            (config / f"{name}.yaml").write_text(json.dumps({**document, "spec": spec}))
        for path in [Path(place), config, state, *state.rglob("*")]:
            os.chown(path, user, group)
        yield Image(root, settings, state, config)


def page(figures: Figures, settings: Mapping[str, Any], bill: Mapping[str, Any]) -> str:
    """docs/reference/image.md."""
    labels = settings["Labels"]
    kinds = [str(one.get("purl", "")).partition("/")[0] for one in bill["components"]]
    counts = {name: kinds.count(kind) for kind, name in (("pkg:deb", "Debian"), ("pkg:pypi", "Python"), ("pkg:golang", "Go"))}
    rows = [f"| {name} | {_mb(size)} |" for name, size in figures.unpacked.items()]
    programs = [f"| {name} | `{line.strip()}` |" for name, line in figures.programs.items() if name != "ssh"]
    starts = [
        ("`setscrew --version`", figures.version),
        ("`setscrew serve`, until `/readyz` says that it judges", figures.ready),
    ]
    timed = [f"| {name} | {statistics.median(all_):.2f} | {min(all_):.2f} | {max(all_):.2f} |" for name, all_ in starts]
    day = datetime.now(UTC).strftime("%d %B %Y")
    return f"""\
# The image: size and start

Written by `make image RECORD=1` (`tools/measure_image.py`); do not edit. [How it is built](../how-to/build-image.md).

Commit `{labels["org.opencontainers.image.revision"][:10]}`, version {labels["org.opencontainers.image.version"]}, on \
`{labels["org.opencontainers.image.base.name"].partition("@")[0]}`; {day}, {os.cpu_count()} cores ({platform.machine()}), \
load average {figures.load:.0f} of other work.

| size | MB |
| --- | --- |
| to be fetched by a node (layers, compressed) | {_mb(figures.packed)} |
| unpacked | {_mb(sum(figures.unpacked.values()))} |
{chr(10).join(rows)}

| start, seconds | median of {len(figures.ready)} | least | most |
| --- | --- | --- | --- |
{chr(10).join(timed)}
| `setscrew run` from nothing to ready: keys, clone, helm, kustomize, first snapshot | {figures.first:.2f} | | |

From the start of the process, with the root file system read-only, as user `{settings["User"]}` without the right to get
others; files were in the page cache. Not in it: what an engine needs to make a container. A fresh clone with a Helm chart,
a kustomization and plain YAML was enforced that way, and each of these ran:

| program | says |
| --- | --- |
{chr(10).join(programs)}

The [bill of materials](../how-to/build-image.md#the-bill-of-materials) beside the image names {counts["Debian"]} Debian packages, {counts["Python"]} Python \
distributions and {counts["Go"]} Go modules.
"""


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f}"


@click.command()
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--config", "settings_file", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--archive", type=click.Path(exists=True, path_type=Path), required=True, help="The image as OCI archive.")
@click.option("--bill", type=click.Path(exists=True, path_type=Path), required=True, help="Its bill of materials.")
@click.option("--starts", type=click.IntRange(1), default=9, show_default=True)
@click.option("--record", is_flag=True, help="Write docs/reference/image.md.")
def main(root: Path, settings_file: Path, archive: Path, bill: Path, starts: int, record: bool) -> None:
    """Try the image whose file system lies in ROOT, and print its figures."""
    settings = json.loads(settings_file.read_text())["config"]
    figures = Figures(packed(archive), unpacked(root), load=os.getloadavg()[0])
    try:
        with prepared(root, settings) as image:
            tried(image, figures, starts)
    except TryError as error:
        raise click.ClickException(str(error)) from error
    text = page(figures, settings, json.loads(bill.read_text()))
    if record:
        PAGE.write_text(text)
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
