"""Holds what of building and measuring the image needs no image: names, times, sizes."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from pathlib import Path

import click
import pytest

from tests.support.tools import tool

ROOT = Path(__file__).parents[3]
build_image = tool("build_image")
measure_image = tool("measure_image")


def test_only_arguments_with_a_digest_are_pinned() -> None:
    digest = "sha256:" + "a" * 64
    text = f"ARG BASE=debian@{digest}\nARG GO=golang:1.26\nARG VERSION=unknown\n"
    assert build_image.pinned(text) == {"BASE": f"debian@{digest}"}


def test_the_version_of_go_is_told_by_the_name_of_its_image() -> None:
    assert build_image.go_version("registry.example.com/golang:1.26.8-bookworm@sha256:1") == "1.26.8"
    with pytest.raises(click.ClickException, match="does not say"):
        build_image.go_version("registry.example.com/golang:latest")


def test_the_time_of_the_image_is_that_of_its_commit() -> None:
    assert build_image.Version("0.1.0", "abc", 1_900_000_000).created == "2030-03-17T17:46:40Z"


def test_lists_of_packages_count_only_if_they_are_of_the_suite(tmp_path: Path) -> None:
    ours, other = tmp_path / "debian.sources", tmp_path / "sources.list"
    ours.write_text(f"Suites: {build_image.SUITE} {build_image.SUITE}-updates\n")
    other.write_text("deb http://deb.example.com/debian other main\n")
    assert build_image.sources([str(ours), str(other), str(tmp_path / "missing")]) == [str(ours)]


def test_the_suite_of_local_bases_is_that_of_the_pinned_ones() -> None:
    bases = build_image.pinned((ROOT / "Dockerfile").read_text())
    assert [one for one in bases.values() if build_image.SUITE not in one] == []


def test_an_image_weighs_what_its_layers_weigh(tmp_path: Path) -> None:
    files = {
        "index.json": {"manifests": [{"digest": "sha256:m"}]},
        "blobs/sha256/m": {"layers": [{"size": 3}, {"size": 4}]},
    }
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        for name, content in files.items():
            data = json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert measure_image.packed(tmp_path / "image.tar") == 7


def test_a_file_with_two_names_counts_once_and_a_link_not_at_all(tmp_path: Path) -> None:
    for name in ("usr/local/bin", "opt/setscrew", "etc"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "usr/local/bin/helm").write_bytes(b"h" * 5)
    (tmp_path / "usr/local/bin/kubectl").write_bytes(b"k" * 7)
    (tmp_path / "opt/setscrew/a.py").write_bytes(b"a" * 3)
    os.link(tmp_path / "opt/setscrew/a.py", tmp_path / "opt/setscrew/b.py")
    (tmp_path / "etc/passwd").write_bytes(b"p" * 2)
    (tmp_path / "etc/link").symlink_to("passwd")
    assert list(measure_image.unpacked(tmp_path).values()) == [5, 7, 3, 2]


def frame(text: str) -> list[str]:
    """The lines of the page that are not figures, up to the first one in them."""
    begin = ("#", "Written", "| size", "| start", "From", "The [")
    lines = [line for line in text.splitlines() if line.startswith(begin)]
    return [re.split(r"median of|names", line)[0] for line in lines]


def test_the_page_of_figures_was_written_by_the_script() -> None:
    figures = measure_image.Figures(1, {"helm": 1}, [1.0], [1.0], 1.0, {"git": "git version 2"})
    labels = {f"org.opencontainers.image.{name}": "x" for name in ("revision", "version", "base.name")}
    made = measure_image.page(figures, {"Labels": labels, "User": "65532:65532"}, {"components": []})
    assert len(frame(made)) > 5
    assert frame(measure_image.PAGE.read_text()) == frame(made)
