"""Holds one version in all places that name it: `python tools/versions.py check`, `python tools/versions.py set 0.2.0`.

Places are listed, not searched for: a page may also name an older or a later version. `set` gives the changes under
*Unreleased* in CHANGELOG.md to that version, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).resolve().parents[1]
CHANGELOG: Final = "CHANGELOG.md"
KINDS: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""The headings of a version, in the order of Keep a Changelog."""
_NUMBER: Final = r"\d+\.\d+\.\d+"
_IMAGE: Final = rf"(?<=/setscrew:){_NUMBER}"
# Where an upgrade to a later one is shown, too.
_INSTALLED: Final = rf"(?<=setscrew install --image registry\.example\.com/setscrew:){_NUMBER}"
PLACES: Final = (
    ("pyproject.toml", rf'(?m)(?<=^version = "){_NUMBER}(?="$)'),
    ("manifests/chart/Chart.yaml", rf"(?m)(?<=^version: ){_NUMBER}$"),
    ("manifests/chart/Chart.yaml", rf"(?m)(?<=^appVersion: ){_NUMBER}$"),
    ("README.md", _IMAGE),
    ("docs/how-to/install.md", _IMAGE),
    ("setscrew/cli/install.py", _INSTALLED),
    ("docs/reference/cli.md", _INSTALLED),
)
"""Files, and what in them has to be the version; each has it once at least."""
_HEADING: Final = re.compile(rf"^## \[(Unreleased|{_NUMBER})\](?: - (\d{{4}}-\d\d-\d\d))?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the changelog. `version` is "" for *Unreleased*, which has no `day`."""

    version: str
    day: str
    text: str


def numbers(version: str) -> tuple[int, ...]:
    """By which versions are compared. Raises ValueError for what is none."""
    if not re.fullmatch(_NUMBER, version):
        raise ValueError(f"{version!r} is no version: three numbers, such as 0.2.0")
    return tuple(map(int, version.split(".")))


def sections(text: str) -> list[Section]:
    """The parts of the changelog, as they stand."""
    found = list(_HEADING.finditer(text))
    ends = [one.start() for one in found[1:]] + [len(text)]
    return [
        Section("" if one[1] == "Unreleased" else one[1], one[2] or "", text[one.end() : end].strip())
        for one, end in zip(found, ends, strict=True)
    ]


def stated(root: Path) -> dict[str, set[str]]:
    """The versions that each place names."""
    found: dict[str, set[str]] = {}
    for name, pattern in PLACES:
        path = root / name
        found.setdefault(name, set()).update(re.findall(pattern, path.read_text()) if path.is_file() else ())
    return found


def version_of(root: Path) -> str:
    """The version of the project."""
    (version,) = stated(root)["pyproject.toml"]
    return version


def problems(root: Path) -> Iterator[str]:
    """What disagrees, a line each: places that name another version or none, and the changelog's own form."""
    wanted = version_of(root)
    for name, found in stated(root).items():
        if found != {wanted}:
            yield f"{name}: names {', '.join(sorted(found)) or 'no version'}, and pyproject.toml {wanted}"
    yield from (f"{CHANGELOG}: {line}" for line in changelog_problems((root / CHANGELOG).read_text(), wanted))


def changelog_problems(text: str, version: str) -> Iterator[str]:
    """What of its form is wrong: sections out of order, headings unknown or twice, a version newer than ours."""
    found = sections(text)
    if not found or found[0].version:
        yield "it does not begin with ## [Unreleased]"
    released = [one for one in found if one.version]
    if released != sorted(released, key=lambda one: numbers(one.version), reverse=True):
        yield "the newest version is not the first"
    if any(numbers(one.version) > numbers(version) for one in released):
        yield f"it has a version newer than {version}"
    if len({one.version for one in found}) < len(found) or len(_HEADING.findall(text)) < len(re.findall("(?m)^## ", text)):
        yield "a section is there twice, or is no version with a day"
    for one in found:
        name = one.version or "Unreleased"
        headings = re.findall(r"(?m)^### (.+)$", one.text)
        if headings != [kind for kind in KINDS if kind in headings]:
            yield f"{name} has other headings than {', '.join(KINDS)}, each once and in this order"
        if one.version and not (_day(one.day) and re.search("(?m)^- ", one.text)):
            yield f"{name} has no day, or says nothing"


def _day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def cut(text: str, version: str, day: str) -> str:
    """The changelog with what is unreleased given to `version`. Raises ValueError where there is nothing."""
    unreleased = sections(text)[0]
    if unreleased.version or not re.search("(?m)^- ", unreleased.text):
        raise ValueError(f"nothing stands under Unreleased in {CHANGELOG}")
    return text.replace("## [Unreleased]\n", f"## [Unreleased]\n\n## [{version}] - {day}\n", 1)


def notes(text: str, version: str) -> str:
    """What the changelog says of `version`. Raises ValueError where it is not there."""
    found = next((one for one in sections(text) if one.version == version), None)
    if found is None:
        raise ValueError(f"{CHANGELOG} does not say what is new in {version}: tools/versions.py set {version}")
    return found.text + "\n"


def put(root: Path, version: str, day: str) -> list[str]:
    """Write `version` everywhere; the names of the changed files. Raises ValueError."""
    numbers(version)
    path = root / CHANGELOG
    path.write_text(cut(path.read_text(), version, day))
    changed = [CHANGELOG]
    for name, pattern in PLACES:
        before = (root / name).read_text()
        after = re.sub(pattern, version, before)
        if after != before:
            (root / name).write_text(after)
            changed.append(name)
    return list(dict.fromkeys(changed))


@click.group()
def main() -> None:
    """One version in all places."""


@main.command()
def check() -> None:
    """Say what disagrees; ends with 1 then."""
    found = list(problems(ROOT))
    for line in found:
        click.echo(line, err=True)
    if found:
        raise SystemExit(1)
    click.echo(version_of(ROOT))


@main.command("set")
@click.argument("version")
@click.option("--day", default="", help="The day of the release; default: today (UTC).")
def set_version(version: str, day: str) -> None:
    """Make VERSION the project's version, with what is unreleased until now."""
    try:
        for name in put(ROOT, version, day or datetime.now(UTC).date().isoformat()):
            click.echo(name)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
