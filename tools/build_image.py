"""Builds the image with buildah: `python tools/build_image.py` (docs/how-to/build-image.md). Root, Linux, no daemon.

Writes to dist/: the image as an OCI archive, its bill of materials, and its digest. With --local the two base images are
made here, Debian's by mmdebstrap and Go's of this machine's Go, for a machine that reaches packages but no registry.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).resolve().parents[1]
SUITE: Final = "bookworm"
LOCAL_BASE: Final = f"localhost/setscrew-base:{SUITE}"
LOCAL_GO: Final = f"localhost/setscrew-go:{SUITE}"
# As in Debian's own slim images: the image is read by programs.
_LEFT_OUT: Final = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
_KEPT: Final = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")
# As Debian's own images are: otherwise the package that converts older systems comes in, and Perl with it.
_MERGED: Final = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
_SOURCES: Final = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")


@dataclass(frozen=True, slots=True)
class Version:
    """What is built: `0.1.0`, the commit (`-dirty` where files differ from it), and the commit's time (Unix seconds)."""

    number: str
    revision: str
    epoch: int

    @property
    def created(self) -> str:
        """As image labels want it."""
        return datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah over a store of our own, so that nothing of the machine's is used or left behind."""

    store: Path

    def run(self, *words: str | Path, quiet: bool = True) -> str:
        """Its stdout; with `quiet` False it talks on stderr. Raises ClickException."""
        command = ["buildah", "--root", self.store / "root", "--runroot", self.store / "run", "--storage-driver", "vfs"]
        return run([*command, *words], quiet=quiet)

    @contextmanager
    def container(self, image: str) -> Iterator[str]:
        """The name of a working container, removed at the end."""
        name = self.run("from", "--pull=never", image)
        try:
            yield name
        finally:
            self.run("rm", name)

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """The image's file system, to be read."""
        with self.container(image) as name:
            yield Path(self.run("mount", name))

    def commit(self, container: str, image: str, version: Version) -> None:
        """Make an image of a working container."""
        self.run("commit", "--timestamp", str(version.epoch), container, image)


def run(words: Sequence[str | Path], *, quiet: bool = True, env: Mapping[str, str] | None = None) -> str:
    """The stdout of a program; its stderr is shown where it fails, or with `quiet` False at once."""
    command = [str(word) for word in words]
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else sys.stderr,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            env={**os.environ, **(env or {})},
        )
    except FileNotFoundError as error:
        raise click.ClickException(f"{command[0]} not found: install the package {command[0]}") from error
    if done.returncode:
        raise click.ClickException(f"{' '.join(command)}: status {done.returncode}\n{(done.stderr or '')[-4000:]}")
    return (done.stdout or "").strip()


def version_of(root: Path) -> Version:
    """Of the checkout at `root`."""
    number = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    dirty = "-dirty" if run(["git", "-C", root, "status", "--porcelain"]) else ""
    revision, epoch = run(["git", "-C", root, "log", "-1", "--format=%H %ct"]).split()
    return Version(number, revision + dirty, int(epoch))


def pinned(dockerfile: str) -> dict[str, str]:
    """The images that the Dockerfile begins with, by the names of its arguments: BASE and GO."""
    return dict(re.findall(r"^ARG ([A-Z]+)=(\S+@sha256:[0-9a-f]{64})$", dockerfile, re.MULTILINE))


def go_version(image: str) -> str:
    """`1.26.8` of `…/golang:1.26.8-bookworm@sha256:…`. Raises ClickException."""
    if found := re.search(r"golang:(\d+\.\d+\.\d+)-", image):
        return found[1]
    raise click.ClickException(f"{image} does not say which Go it is")


def sources(places: Sequence[str] = _SOURCES) -> list[str]:
    """This machine's own lists of Debian packages, if they are of the suite; [] lets mmdebstrap take Debian's."""
    return [place for place in places if Path(place).is_file() and SUITE in Path(place).read_text()]


def make_local_base(buildah: Buildah, version: Version, work: Path) -> None:
    """Debian as small as it comes, from packages."""
    tarball = work / "base.tar"
    rules = [f"--dpkgopt=path-exclude={glob}" for glob in _LEFT_OUT] + [f"--dpkgopt=path-include={glob}" for glob in _KEPT]
    command = ["mmdebstrap", "--quiet", "--variant=minbase", _MERGED, *rules, SUITE, tarball, *sources()]
    run(command, env={"SOURCE_DATE_EPOCH": str(version.epoch)})
    with buildah.container("scratch") as container:
        buildah.run("add", container, tarball, "/")
        buildah.run("config", "--cmd", "bash", container)
        buildah.commit(container, LOCAL_BASE, version)
    tarball.unlink()


def make_local_go(buildah: Buildah, version: Version, wanted: str, ca_bundle: Path | None) -> None:
    """The base with Go `wanted`: this machine's, or the one that it fetches as a module for being asked."""
    place = Path(run(["go", "env", "GOROOT"], env={"GOTOOLCHAIN": f"go{wanted}"}))
    with buildah.container(LOCAL_BASE) as container:
        buildah.run("copy", "--quiet", container, place, "/usr/local/go")
        # Where the secret is mounted there has to be a file.
        bundle = ca_bundle or Path("/etc/ssl/certs/ca-certificates.crt")
        buildah.run("copy", "--quiet", container, bundle, "/etc/ssl/certs/ca-certificates.crt")
        path = "PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        buildah.run("config", "--env", path, "--env", "GOPATH=/go", container)
        buildah.commit(container, LOCAL_GO, version)


def build(buildah: Buildah, context: Path, image: str, version: Version, bases: Mapping[str, str], ca: Path | None) -> None:
    """The image of the Dockerfile, of these bases."""
    facts = {"VERSION": version.number, "REVISION": version.revision, "CREATED": version.created, **bases}
    arguments = [f"--build-arg={name}={value}" for name, value in facts.items()]
    # A base that was made here is nowhere else; a registry's is what its digest says.
    pull = "--pull=never" if LOCAL_BASE in bases.values() else "--pull=false"
    secret = [f"--secret=id=ca-bundle,src={ca}"] if ca else []
    buildah.run(
        *("build", "--isolation=chroot", "--format=oci", "--layers=false", "--identity-label=false", f"--timestamp={version.epoch}", pull),
        *arguments,
        *secret,
        *("--file", context / "Dockerfile", "--tag", image, context),
        quiet=False,
    )


def saved(buildah: Buildah, image: str, archive: Path) -> str:
    """The digest of the image's manifest, once it lies in `archive` as a registry would hold it."""
    archive.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as work:
        digest = Path(work) / "digest"
        buildah.run("push", "--digestfile", digest, image, f"oci-archive:{archive}:{image.removeprefix('localhost/')}")
        return digest.read_text().strip()


@click.command()
@click.option("--local", is_flag=True, help="Make the base images here, of packages: no registry is asked.")
@click.option("--base", default="", help="Another base image, instead of the Dockerfile's.")
@click.option("--go", default="", help="Another image with Go, instead of the Dockerfile's.")
@click.option(
    "--ca-bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="SSL_CERT_FILE",
    help="Certificates to trust while building, behind a proxy with its own; none of it stays in the image.",
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "dist", help="Default: dist/.")
@click.option("--store", type=click.Path(file_okay=False, path_type=Path), help="buildah's store; default: removed.")
@click.option("--measure/--no-measure", default=True, show_default=True, help="Try the image, and time its start.")
@click.option("--record", is_flag=True, help="Write what was measured to docs/reference/image.md.")
def main(
    local: bool,
    base: str,
    go: str,
    ca_bundle: Path | None,
    output: Path,
    store: Path | None,
    measure: bool,
    record: bool,
) -> None:
    """Build the image of this checkout."""
    if os.geteuid():
        raise click.ClickException("files of several owners are written: run as root, or in `buildah unshare`")
    if local and (base or go):
        raise click.ClickException("--local makes the base images itself: leave out --base and --go")
    version, bases = version_of(ROOT), pinned((ROOT / "Dockerfile").read_text())
    if bases.keys() != {"BASE", "GO"}:
        raise click.ClickException("the Dockerfile does not pin BASE and GO by digest")
    output.mkdir(parents=True, exist_ok=True)
    image = f"localhost/setscrew:{version.number}"
    with tempfile.TemporaryDirectory(prefix="setscrew-image-") as work:
        buildah = Buildah((store or Path(work) / "store").absolute())
        if local:
            say(f"making the base images of packages ({SUITE}, Go {go_version(bases['GO'])})")
            make_local_base(buildah, version, Path(work))
            make_local_go(buildah, version, go_version(bases["GO"]), ca_bundle)
            bases = {"BASE": LOCAL_BASE, "GO": LOCAL_GO}
        else:
            bases |= {name: value for name, value in (("BASE", base), ("GO", go)) if value}
        say(f"building {image} of {version.revision}")
        build(buildah, ROOT, image, version, bases, ca_bundle)
        archive = output / f"setscrew-{version.number}-image.tar"
        digest = saved(buildah, image, archive)
        with buildah.mounted(image) as root:
            bill = output / f"setscrew-{version.number}-image.cdx.json"
            names = ["--version", version.number, "--digest", digest, "--epoch", str(version.epoch), "-o", bill]
            run([sys.executable, ROOT / "tools" / "sbom.py", root, *names], quiet=False)
            if measure or record:
                config = Path(work) / "config.json"
                config.write_text(json.dumps(json.loads(buildah.run("inspect", "--type=image", image))["OCIv1"]))
                extra = ["--record"] if record else []
                command = [ROOT / "tools" / "measure_image.py", root, "--config", config, "--archive", archive, *extra]
                run([sys.executable, *command, "--bill", bill], quiet=False)
    (output / f"setscrew-{version.number}-image.digest").write_text(f"{digest}\n")
    click.echo(f"{archive}: {digest}")


def say(text: str) -> None:
    """One line on stderr."""
    click.echo(f"image: {text}", err=True)


if __name__ == "__main__":
    for tool in ("buildah", "git"):
        if not shutil.which(tool):
            sys.exit(f"image: {tool} not found: install the package {tool}")
    main()
