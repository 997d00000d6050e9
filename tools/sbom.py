"""Writes the bill of materials of an image: `python tools/sbom.py ROOT -o FILE`, ROOT its unpacked file system.

CycloneDX 1.6 in JSON: the Debian packages that dpkg knows, the Python distributions of /opt/setscrew, and the Go modules
that helm and kubectl say they are built from. Nothing is guessed: what none of the three tells is not in it. The same
image gives the same bytes. Needs `go`, which reads what it has written into a program.
"""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import HeaderParser
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

import click
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROGRAMS: Final = {"helm": "helm.sh/helm/v4", "kubectl": "k8s.io/kubernetes"}
"""Each program of /usr/local/bin, and the module whose version is its own."""
_NAMESPACE: Final = uuid.UUID("7a3f3c4e-5d5c-4f6b-9a39-5d3b8f6d8f11")
_LONGEST_LICENSE: Final = 80


class IncompleteError(Exception):
    """The image holds something that cannot be told."""


@dataclass(frozen=True, slots=True)
class Program:
    """A Go program: the toolchain that made it, and its modules with versions and `h1:` sums."""

    name: str
    go: str
    modules: Mapping[str, tuple[str, str]]


def debian(status: str, distro: str) -> Iterator[Component]:
    """The installed packages of dpkg's own record."""
    for paragraph in filter(str.strip, status.split("\n\n")):
        fields = HeaderParser().parsestr(paragraph)
        if fields["Status"] != "install ok installed":
            continue
        qualifiers = {"arch": fields["Architecture"], "distro": distro}
        purl = PackageURL("deb", "debian", fields["Package"], fields["Version"], qualifiers)
        yield _component(purl, fields["Package"], properties=_source(fields["Source"], fields["Package"]))


def python(found: Iterable[Distribution]) -> dict[str, tuple[Component, frozenset[str]]]:
    """The distributions by their normalized names, each with the names of what it requires."""
    return {
        canonicalize_name(one.name): (
            _component(PackageURL("pypi", None, canonicalize_name(one.name), one.version), one.name, _license(one)),
            frozenset(_required(one)),
        )
        for one in found
    }


def program(name: str, text: str) -> Program:
    """What `go version -m` prints of it. Raises IncompleteError."""
    go = re.match(r"\S+: go(\S+)", text)
    lines = [line.strip().split("\t") for line in text.splitlines()[1:]]
    modules: dict[str, tuple[str, str]] = {}
    for kind, *fields in lines:
        if kind in ("mod", "dep") and fields[1] != "(devel)":
            last = fields[0]
            modules[last] = (fields[1], fields[2] if len(fields) > 2 else "")
        elif kind == "=>":  # what was really built in its place
            del modules[last]
            modules[fields[0]] = (fields[1], fields[2] if len(fields) > 2 else "")
    if not go or PROGRAMS[name] not in modules:
        raise IncompleteError(f"{name} does not say what it is built from")
    return Program(name, go[1], modules)


def bill(
    image: Component,
    packages: Iterable[Component],
    environment: Mapping[str, tuple[Component, frozenset[str]]],
    programs: Iterable[Program],
    made: datetime,
) -> Bom:
    """All of it, and what needs what: the image all packages, Setscrew and programs; these what they are made of."""
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, str(image.purl or image.name) + (image.version or "")))
    bom.metadata.timestamp, bom.metadata.component = made, image
    modules: dict[str, Component] = {}
    top = [*packages, environment["setscrew"][0]]
    bom.components.update(top)
    for component, required in environment.values():
        bom.components.add(component)
        bom.register_dependency(component, [environment[name][0] for name in sorted(required & environment.keys())])
    for one in programs:
        own, parts = _go(one, modules)
        top.append(own)
        bom.components.add(own)
        bom.register_dependency(own, parts)
    bom.components.update(modules.values())
    bom.register_dependency(image, top)
    return bom


def written(bom: Bom) -> str:
    """The document. Raises IncompleteError where it breaks the format's own schema."""
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise IncompleteError(f"the bill of materials breaks its schema: {problem}")
    return text + "\n"


def _component(
    purl: PackageURL,
    name: str,
    license_: DisjunctiveLicense | LicenseExpression | None = None,
    properties: Iterable[Property] = (),
    hashes: Iterable[HashType] = (),
) -> Component:
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=purl.version,
        purl=purl,
        bom_ref=str(purl),
        licenses=[license_] if license_ else (),
        properties=properties,
        hashes=hashes,
    )


def _source(source: str | None, package: str) -> list[Property]:
    name = (source or package).split()[0]
    return [] if name == package else [Property(name="setscrew:debian:source", value=name)]


def _license(one: Distribution) -> DisjunctiveLicense | LicenseExpression | None:
    if expression := one.metadata.get("License-Expression"):
        return LicenseExpression(expression)
    stated = (one.metadata.get("License") or "").strip()
    if stated and "\n" not in stated and len(stated) <= _LONGEST_LICENSE:
        return DisjunctiveLicense(name=stated)
    classified = [line for line in one.metadata.get_all("Classifier") or () if line.startswith("License ::")]
    return DisjunctiveLicense(name=classified[0].rpartition(" :: ")[2]) if classified else None


def _required(one: Distribution) -> Iterator[str]:
    for requirement in map(Requirement, one.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _go(one: Program, modules: dict[str, Component]) -> tuple[Component, list[Component]]:
    """The program and its modules; one that several programs have is one component."""
    parts = [modules.setdefault(f"stdlib@{one.go}", _component(PackageURL("golang", None, "stdlib", one.go), "stdlib"))]
    for name, (version, total) in sorted(one.modules.items()):
        folder, _, last = name.rpartition("/")
        hashes = [Property(name="setscrew:go:sum", value=total)] if total else []
        component = _component(PackageURL("golang", folder or None, last, version), name, properties=hashes)
        parts.append(modules.setdefault(f"{name}@{version}", component))
    version = one.modules[PROGRAMS[one.name]][0]
    own = Component(
        type=ComponentType.APPLICATION, name=one.name, version=version, bom_ref=f"/usr/local/bin/{one.name}@{version}"
    )
    return own, parts


def of_root(root: Path, name: str, version: str, digest: str, made: datetime) -> Bom:
    """The bill of an unpacked image. Raises IncompleteError, OSError, CalledProcessError."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', (root / "etc/os-release").read_text(), re.MULTILINE))
    packages = debian((root / "var/lib/dpkg/status").read_text("utf-8"), f"{release['ID']}-{release['VERSION_ID']}")
    (place,) = (root / "opt/setscrew/lib").glob("python3.*/site-packages")
    environment = python(distributions(path=[str(place)]))
    programs = []
    for program_name in PROGRAMS:
        path = root / "usr/local/bin" / program_name
        done = subprocess.run(["go", "version", "-m", path], check=True, capture_output=True, text=True)
        programs.append(program(program_name, done.stdout))
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))] if digest else []
    image = Component(type=ComponentType.CONTAINER, name=name, version=version, bom_ref="image", hashes=hashes)
    return bill(image, packages, environment, programs, made)


@click.command()
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--name", default="setscrew", show_default=True, help="The image's name.")
@click.option("--version", default="", help="The image's version.")
@click.option("--digest", default="", help="sha256:… of its manifest.")
@click.option("--epoch", type=int, required=True, help="When it was made, Unix seconds.")
def main(root: Path, output: Path, name: str, version: str, digest: str, epoch: int) -> None:
    """Write the bill of materials of the image that lies unpacked in ROOT."""
    try:
        bom = of_root(root, name, version, digest, datetime.fromtimestamp(epoch, UTC))
        output.write_text(written(bom), "utf-8")
    except (IncompleteError, OSError, subprocess.CalledProcessError) as error:
        raise click.ClickException(f"{root}: {error}") from error
    click.echo(f"{output}: {len(bom.components)} components", err=True)


if __name__ == "__main__":
    main()
