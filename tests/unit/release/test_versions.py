"""Holds one version in all places that name it, and the changelog to its form."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from setscrew.installing.kustomize import manifests
from tests.support.tools import tool

ROOT = Path(__file__).parents[3]
versions = tool("versions")
HEAD = "# Changelog\n\nWhat is new.\n\n"
TWO = f"{HEAD}## [Unreleased]\n\n### Added\n\n- More.\n\n## [0.1.0] - 2030-01-02\n\n### Added\n\n- All.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The places that name a version, of this checkout."""
    for name in {name for name, _ in versions.PLACES} | {versions.CHANGELOG}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_all_places_agree() -> None:
    assert list(versions.problems(ROOT)) == []


def test_every_place_names_the_version() -> None:
    assert [name for name, found in versions.stated(ROOT).items() if len(found) != 1] == []


def test_what_an_installation_is_told_to_be_is_the_same_version() -> None:
    from importlib.metadata import version

    assert versions.version_of(ROOT) == version("setscrew")
    assert (manifests() / "chart" / "Chart.yaml").is_file()


@pytest.mark.parametrize("name", sorted({name for name, _ in versions.PLACES}))
def test_a_place_that_is_left_behind_is_named(root: Path, name: str) -> None:
    before = versions.version_of(root)
    path = root / name
    path.write_text(path.read_text().replace(before, "9.9.9"))
    assert any("9.9.9" in line for line in versions.problems(root))


def test_a_place_that_names_no_version_any_more_is_named(root: Path) -> None:
    (root / "README.md").write_text("nothing\n")
    assert [line for line in versions.problems(root) if line.startswith("README.md: names no version")]


def test_a_new_version_is_written_everywhere_and_takes_what_is_unreleased(root: Path) -> None:
    (root / versions.CHANGELOG).write_text(TWO)
    changed = versions.put(root, "0.2.0", "2030-03-04")
    assert set(changed) == {name for name, _ in versions.PLACES} | {versions.CHANGELOG}
    assert list(versions.problems(root)) == []
    assert {version for found in versions.stated(root).values() for version in found} == {"0.2.0"}
    text = (root / versions.CHANGELOG).read_text()
    assert [(one.version, one.day) for one in versions.sections(text)] == [
        ("", ""),
        ("0.2.0", "2030-03-04"),
        ("0.1.0", "2030-01-02"),
    ]
    assert versions.notes(text, "0.2.0") == "### Added\n\n- More.\n"


def test_the_first_release_keeps_the_version_and_takes_what_is_unreleased(root: Path) -> None:
    version = versions.version_of(root)
    (root / versions.CHANGELOG).write_text(f"{HEAD}## [Unreleased]\n\n### Added\n\n- All.\n")
    assert versions.put(root, version, "2030-03-04") == [versions.CHANGELOG]


@pytest.mark.parametrize("version", ["1", "v0.2.0", "0.2.0.dev1", "0.2"])
def test_what_is_no_version_is_refused_before_anything_is_written(root: Path, version: str) -> None:
    before = (root / versions.CHANGELOG).read_text()
    with pytest.raises(ValueError, match="no version"):
        versions.put(root, version, "2030-03-04")
    assert (root / versions.CHANGELOG).read_text() == before


def test_there_is_no_version_without_news() -> None:
    with pytest.raises(ValueError, match="nothing stands under Unreleased"):
        versions.cut(f"{HEAD}## [Unreleased]\n\n## [0.1.0] - 2030-01-02\n\n- All.\n", "0.2.0", "2030-03-04")


def test_a_version_that_the_changelog_does_not_know_has_no_notes() -> None:
    with pytest.raises(ValueError, match="does not say what is new in"):
        versions.notes(TWO, "0.3.0")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("## [Unreleased]\n\n### Added\n\n- More.\n\n", "", "does not begin"),
        ("## [0.1.0] - 2030-01-02", "## [0.1.0]", "no day"),
        ("## [0.1.0] - 2030-01-02", "## [0.1.0] - 2030-13-02", "no day"),
        ("## [0.1.0] - 2030-01-02", "## 0.1.0 - 2030-01-02", "no version with a day"),
        ("- All.", "Nothing", "says nothing"),
        ("### Added\n\n- All.", "### News\n\n- All.", "other headings"),
        ("### Added\n\n- All.", "### Changed\n\n- All.\n\n### Added\n\n- More.", "other headings"),
        ("## [0.1.0]", "## [0.9.0]", "newer than"),
        ("- All.\n", "- All.\n\n## [0.1.1] - 2030-02-02\n\n- Late.\n", "not the first"),
        ("- All.\n", "- All.\n\n## [0.1.0] - 2030-01-02\n\n- Late.\n", "there twice"),
    ],
)
def test_a_changelog_in_another_form_is_named(old: str, new: str, told: str) -> None:
    assert list(versions.changelog_problems(TWO, "0.2.0")) == []
    assert told in "\n".join(versions.changelog_problems(TWO.replace(old, new), "0.2.0"))
