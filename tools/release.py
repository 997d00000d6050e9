"""Makes a release of the commit that is checked out: `python tools/release.py --dry-run`, then without (docs/how-to/release.md).

All is made in fresh clones, so that what Git does not know cannot get in; wheel and source archive are built twice and
must be the same bytes. The tag is set last, and nothing is sent anywhere. With --dry-run nothing is left: versions, tree and
changelog are checked, wheel and source archive built, and what else would be done is said.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import versions

ROOT: Final = Path(__file__).resolve().parents[1]
SUMS: Final = "SHA256SUMS"
# Two people with other habits have to get the same: the mode of files is where they differ first.
_UMASKS: Final = (0o022, 0o077)


class RefusedError(Exception):
    """Why there is no release."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is released: the version, the commit, and the commit's time (Unix seconds)."""

    version: str
    commit: str
    epoch: int

    @property
    def tag(self) -> str:
        """The tag it gets."""
        return f"v{self.version}"


def prepared(root: Path, today: str) -> Release:
    """The release that `root` is ready for. Raises RefusedError with all that stands against it."""
    if left := git(root, "status", "--porcelain"):
        raise RefusedError(f"the tree is not clean:\n{left}")
    against = list(versions.problems(root))
    release = Release(versions.version_of(root), git(root, "rev-parse", "HEAD"), int(git(root, "log", "-1", "--format=%ct")))
    against += _against_changelog((root / versions.CHANGELOG).read_text(), release, today)
    if git(root, "tag", "--list", release.tag):
        against.append(f"the tag {release.tag} is there already")
    if against:
        raise RefusedError("\n".join(against))
    return release


def _against_changelog(text: str, release: Release, today: str) -> list[str]:
    found = {one.version: one for one in versions.sections(text)}
    if release.version not in found:
        return [f"{versions.CHANGELOG} has no {release.version}: run tools/versions.py set {release.version}"]
    against = []
    if found[release.version].day > today:
        against.append(f"{versions.CHANGELOG} dates {release.version} to {found[release.version].day}, and it is {today}")
    if "" in found and found[""].text:
        against.append(f"{versions.CHANGELOG} has changes under Unreleased that {release.version} would bring unsaid")
    return against


def cloned(root: Path, place: Path, release: Release) -> Path:
    """A clone of that commit and nothing else."""
    git(root, "clone", "--quiet", "--no-checkout", str(root), str(place))
    git(place, "checkout", "--quiet", "--detach", release.commit)
    return place


def distributions(root: Path, release: Release, work: Path) -> list[Path]:
    """Wheel and source archive, built twice from clones of their own. Raises RefusedError where they differ."""
    built = []
    for number, mask in enumerate(_UMASKS):
        before = os.umask(mask)
        try:
            clone = cloned(root, work / f"build-{number}", release)
            out = work / f"dist-{number}"
            command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(out)]
            run(command, cwd=clone, environment={"SOURCE_DATE_EPOCH": str(release.epoch)})
        finally:
            os.umask(before)
        built.append(sorted(out.iterdir()))
    first, second = built
    different = [one.name for one, other in zip(first, second, strict=True) if digest(one) != digest(other)]
    if different:
        raise RefusedError(f"built twice, these differ: {', '.join(different)}")
    for one in first:
        one.chmod(0o644)
    return first


def tested(root: Path, release: Release, work: Path, log: Path) -> None:
    """All tests and linters, in a clone. Raises RefusedError."""
    clone = cloned(root, work / "tested", release)
    with log.open("wb") as stream:
        done = subprocess.run(["bash", ".ci/run"], cwd=clone, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False)
    if done.returncode:
        raise RefusedError(f"tests or linters fail: {log}")


def sums(directory: Path) -> str:
    """The digests of all files there, as sha256sum writes and checks them."""
    return "".join(f"{digest(path)}  {path.name}\n" for path in sorted(directory.iterdir()) if path.name != SUMS)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git(root: Path, *words: str) -> str:
    """The stdout of git. Raises RefusedError."""
    return run(["git", "-C", str(root), *words])


def run(words: Sequence[str], cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """The stdout of a program. Raises RefusedError."""
    env = {**os.environ, **(environment or {})}
    done = subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RefusedError(f"{' '.join(words)}: status {done.returncode}\n{(done.stderr or done.stdout)[-3000:]}")
    return done.stdout.strip()


def made(root: Path, release: Release, out: Path, work: Path, image: Sequence[str] | None) -> None:
    """Write everything but the log of the tests to `out`. `image`: options of tools/build_image.py, None: no image."""
    for path in distributions(root, release, work):
        (out / path.name).write_bytes(path.read_bytes())
        say(f"built twice, the same: {path.name}")
    if image is not None:
        say("image (20 minutes the first time)")
        builder = cloned(root, work / "image", release) / "tools" / "build_image.py"
        command = [sys.executable, str(builder), "--output", str(out), *image]
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode:
            raise RefusedError("the image could not be built, or does not work: see above")
    (out / "NOTES.md").write_text(versions.notes((root / versions.CHANGELOG).read_text(), release.version))
    (out / SUMS).write_text(sums(out))


def set_tag(root: Path, release: Release, out: Path, *, sign: bool) -> None:
    """Tag the commit: what is new, and the digests of all that was made of it."""
    message = out / ".message"
    text = f"Setscrew {release.version}\n\n{(out / 'NOTES.md').read_text()}\n{(out / SUMS).read_text()}"
    message.write_text(text)
    try:
        kind = "--sign" if sign else "--annotate"
        git(root, "tag", kind, "--cleanup=verbatim", "--file", str(message.absolute()), release.tag, release.commit)
    finally:
        message.unlink()


def rehearsed(root: Path, release: Release, steps: Sequence[str]) -> None:
    """Build what takes seconds, and say the rest."""
    with tempfile.TemporaryDirectory(prefix="setscrew-release-") as work:
        for path in distributions(root, release, Path(work)):
            say(f"built twice, the same: {path.name} {digest(path)}")
    for step in steps:
        say(f"would follow: {step}")


@click.command()
@click.option("--dry-run", is_flag=True, help="Leave nothing behind: check, build wheel and source archive, say the rest.")
@click.option("--tested", "tested_commit", default="", help="The commit whose CI has passed, in full: it is not run again.")
@click.option("--no-image", is_flag=True, help="Without the image.")
@click.option("--local-bases", is_flag=True, help="The image's bases are made here: tools/build_image.py --local.")
@click.option("--sign", is_flag=True, help="Sign the tag.")
@click.option("--output", type=click.Path(path_type=Path), help="Where it is put; default: dist/VERSION.")
def main(dry_run: bool, tested_commit: str, no_image: bool, local_bases: bool, sign: bool, output: Path | None) -> None:
    """Make the release that pyproject.toml and CHANGELOG.md name, of the commit that is checked out."""
    try:
        release = prepared(ROOT, datetime.now(UTC).date().isoformat())
        if tested_commit not in ("", release.commit):
            raise RefusedError(f"--tested {tested_commit}: checked out is {release.commit}")
        image = None if no_image else (["--local"] if local_bases else [])
        say(f"{release.version} of {release.commit}")
        if dry_run:
            steps = ["" if tested_commit else ".ci/run", "" if no_image else "image and its bill of materials", SUMS, release.tag]
            rehearsed(ROOT, release, [step for step in steps if step])
            return
        out = output or ROOT / "dist" / release.version
        if out.exists() and any(out.iterdir()):
            raise RefusedError(f"{out} is not empty: an earlier try? Remove it")
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="setscrew-release-") as work:
            if not tested_commit:
                say(f"tests and linters (an hour); they write {out / 'ci.log'}")
                tested(ROOT, release, Path(work), out / "ci.log")
            made(ROOT, release, out, Path(work), image)
        set_tag(ROOT, release, out, sign=sign)
    except (RefusedError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    say(f"{release.tag} is set, {out} has the rest; nothing was sent: docs/how-to/release.md says how to publish it")


def say(text: str) -> None:
    """One line on stderr."""
    click.echo(f"release: {text}", err=True)


if __name__ == "__main__":
    main()
