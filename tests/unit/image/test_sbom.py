"""Holds the bill of materials: what dpkg, Python and Go themselves tell of an image, and nothing twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.component import Component, ComponentType

from tests.support.tools import tool

sbom = tool("sbom")
MADE = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
STATUS = """\
Package: git
Status: install ok installed
Architecture: amd64
Version: 1:2.39.5-0+deb12u2
Depends: libc6 (>= 2.34)
Description: fast, scalable
 with lines
 .
 of its own

Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.1)
Version: 3.0.17-1~deb12u2

Package: perl
Status: deinstall ok config-files
Architecture: amd64
Version: 5.36.0-7
"""
HELM = """\
/usr/local/bin/helm: go1.26.8
\tpath\thelm.sh/helm/v4/cmd/helm
\tmod\thelm.sh/helm/v4\tv4.3.1\th1:aaa=
\tdep\tsigs.k8s.io/yaml\tv1.6.0\th1:bbb=
\tdep\tgithub.com/old/name\tv1.0.0
\t=>\tgithub.com/new/name\tv1.0.1\th1:ccc=
\tbuild\t-compiler=gc
"""
KUBECTL = """\
/usr/local/bin/kubectl: go1.26.8
\tpath\tk8s.io/kubernetes/cmd/kubectl
\tmod\tsetscrew.dev/tools/kubernetes\t(devel)\t
\tdep\tk8s.io/kubernetes\tv1.36.3\th1:ddd=
\tdep\tsigs.k8s.io/yaml\tv1.6.0\th1:bbb=
"""


def distribution(directory: Path, name: str, version: str, *lines: str) -> None:
    place = directory / f"{name.lower()}-{version}.dist-info"
    place.mkdir(parents=True)
    place.joinpath("METADATA").write_text(
        "\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines, "", ""])
    )


@pytest.fixture
def bill(tmp_path: Path) -> dict[str, Any]:
    extra = 'Requires-Dist: click; extra == "more"'
    distribution(tmp_path, "setscrew", "0.1.0", "License-Expression: Apache-2.0", "Requires-Dist: PyYAML>=6", extra)
    distribution(tmp_path, "PyYAML", "6.0.3", "License: MIT")
    distribution(tmp_path, "click", "8.5.1", "License: " + "a licence in full " * 9)
    image = Component(type=ComponentType.CONTAINER, name="setscrew", version="0.1.0", bom_ref="image")
    packages = list(sbom.debian(STATUS, "debian-12"))
    environment = sbom.python(distributions(path=[str(tmp_path)]))
    programs = [sbom.program("helm", HELM), sbom.program("kubectl", KUBECTL)]
    made: dict[str, Any] = json.loads(sbom.written(sbom.bill(image, packages, environment, programs, MADE)))
    return made


def purls(bill: dict[str, Any], kind: str) -> list[str]:
    return sorted(one["purl"] for one in bill["components"] if one.get("purl", "").startswith(f"pkg:{kind}/"))


def needs(bill: dict[str, Any], ref: str) -> list[str]:
    found: list[str] = next(one.get("dependsOn", []) for one in bill["dependencies"] if one["ref"] == ref)
    return found


def test_packages_are_those_that_are_installed(bill: dict[str, Any]) -> None:
    assert purls(bill, "deb") == [
        "pkg:deb/debian/git@1:2.39.5-0%2Bdeb12u2?arch=amd64&distro=debian-12",
        "pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64&distro=debian-12",
    ]


def test_a_package_names_the_source_that_advisories_speak_of(bill: dict[str, Any]) -> None:
    found = {one["name"]: one.get("properties") for one in bill["components"]}
    assert found["libssl3"] == [{"name": "setscrew:debian:source", "value": "openssl"}]
    assert found["git"] is None


def test_distributions_are_there_with_their_licences_where_they_are_short(bill: dict[str, Any]) -> None:
    assert purls(bill, "pypi") == ["pkg:pypi/click@8.5.1", "pkg:pypi/pyyaml@6.0.3", "pkg:pypi/setscrew@0.1.0"]
    licenses = {one["name"]: one.get("licenses") for one in bill["components"]}
    assert licenses["setscrew"] == [{"expression": "Apache-2.0"}]
    assert licenses["PyYAML"] == [{"license": {"name": "MIT"}}]
    assert licenses["click"] is None


def test_what_a_distribution_needs_is_what_it_says_without_extras(bill: dict[str, Any]) -> None:
    assert needs(bill, "pkg:pypi/setscrew@0.1.0") == ["pkg:pypi/pyyaml@6.0.3"]


def test_modules_are_those_that_were_built_in_and_the_toolchain_is_one(bill: dict[str, Any]) -> None:
    assert purls(bill, "golang") == [
        "pkg:golang/github.com/new/name@v1.0.1",
        "pkg:golang/helm.sh/helm/v4@v4.3.1",
        "pkg:golang/k8s.io/kubernetes@v1.36.3",
        "pkg:golang/sigs.k8s.io/yaml@v1.6.0",
        "pkg:golang/stdlib@1.26.8",
    ]


def test_programs_have_the_version_of_their_own_module_and_share_others(bill: dict[str, Any]) -> None:
    versions = {one["name"]: one["version"] for one in bill["components"] if one["type"] == "application"}
    assert versions == {"helm": "v4.3.1", "kubectl": "v1.36.3"}
    shared = "pkg:golang/sigs.k8s.io/yaml@v1.6.0"
    assert shared in needs(bill, "/usr/local/bin/helm@v4.3.1")
    assert shared in needs(bill, "/usr/local/bin/kubectl@v1.36.3")


def test_the_image_needs_what_lies_in_it(bill: dict[str, Any]) -> None:
    needed = needs(bill, "image")
    assert "/usr/local/bin/helm@v4.3.1" in needed
    assert "pkg:pypi/setscrew@0.1.0" in needed
    assert "pkg:pypi/pyyaml@6.0.3" not in needed  # Setscrew does


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    distribution(tmp_path, "setscrew", "0.1.0")

    def text() -> str:
        image = Component(type=ComponentType.CONTAINER, name="setscrew", version="0.1.0", bom_ref="image")
        environment = sbom.python(distributions(path=[str(tmp_path)]))
        made: str = sbom.written(sbom.bill(image, sbom.debian(STATUS, "debian-12"), environment, [], MADE))
        return made

    assert text() == text()


@pytest.mark.parametrize("text", ["", "helm: not a Go executable\n", HELM.replace("helm.sh/helm/v4\t", "other\t")])
def test_a_program_that_does_not_say_what_it_is_made_of_ends_it(text: str) -> None:
    with pytest.raises(sbom.IncompleteError, match="does not say"):
        sbom.program("helm", text)
