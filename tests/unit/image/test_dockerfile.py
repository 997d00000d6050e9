"""Holds the image's recipe: pinned, of stages, for a user without rights, and as the manifests run it."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.tools import tool

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNTIL_THEN, _, LAST = DOCKERFILE.rpartition("\nFROM ")
OURS = {"renderers", "environment"}


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction and what follows it, in one line."""
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lines = re.sub(r"\\\n\s*", " ", bare).splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def said(text: str, name: str) -> list[str]:
    return [rest for instruction, rest in instructions(text) if instruction == name]


def pod() -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "manifests/base/deployment.yaml").read_text())
    spec: dict[str, Any] = next(one for one in documents if one["kind"] == "Deployment")["spec"]["template"]["spec"]
    return spec


def test_a_linter_finds_nothing_in_it() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_it_begins_with_images_that_a_digest_pins_and_with_nothing_else() -> None:
    bases = tool("build_image").pinned(DOCKERFILE)
    assert bases.keys() == {"BASE", "GO"}
    assert {one.split()[0] for one in said(DOCKERFILE, "FROM")} == {f"${{{name}}}" for name in bases}


def test_its_go_is_one_that_the_pinned_modules_can_be_built_with() -> None:
    build_image = tool("build_image")
    version = build_image.go_version(build_image.pinned(DOCKERFILE)["GO"])
    for name in ("helm", "kubernetes"):
        needed = re.search(r"^go (\S+)$", (ROOT / "tools" / name / "go.mod").read_text(), re.MULTILINE)
        assert needed
        assert tuple(map(int, needed[1].split("."))) <= tuple(map(int, version.split(".")))


def test_stages_are_made_of_named_ones_and_of_files_of_the_checkout() -> None:
    stages = {one.rpartition(" AS ")[2] for one in said(UNTIL_THEN, "FROM")}
    assert stages == OURS
    assert set(re.findall(r"--from=(\S+)", DOCKERFILE)) == OURS
    assert said(DOCKERFILE, "ADD") == []
    assert [one for one in said(DOCKERFILE, "RUN") if re.search(r"\b(curl|wget)\b", one)] == []


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [words for one in said(DOCKERFILE, "COPY") if "--from" not in one for words in one.split()[:-1]]
    for name in (one.strip("/") for one in copied if not one.startswith("--")):
        assert (ROOT / name).exists(), name
        assert any(Path(name.split("/")[0]).match(pattern) for pattern in let_in), name


def test_nothing_that_builds_is_in_what_runs() -> None:
    (install,) = re.findall(r"apt-get install (.+?) (?=&&)", " ".join(said(LAST, "RUN")))
    packages = {word for word in install.split() if not word.startswith("--")}
    assert packages == {"ca-certificates", "git", "gpg", "openssh-client", "python3", "tini"}
    assert "--no-install-recommends" in install
    assert "pip" not in LAST


def test_every_package_is_installed_by_hash() -> None:
    installs = re.findall(r"pip [^&|;]*\binstall\b[^&|;]*", " ".join(said(DOCKERFILE, "RUN")))
    assert len(installs) == 3
    assert all("--require-hashes -r" in one or "--no-deps /dist/" in one for one in installs)


def test_it_runs_as_the_user_that_the_manifests_name() -> None:
    security = pod()["securityContext"]
    user = f"{security['runAsUser']}:{security['runAsGroup']}"
    assert said(LAST, "USER") == [user]
    assert f"setscrew:x:{user}:" in LAST  # ssh works for nobody without a name


def test_what_pods_mount_is_there_to_be_mounted_at() -> None:
    mounts = {one["mountPath"] for container in pod()["containers"] for one in container["volumeMounts"]}
    assert [path for path in sorted(mounts) if not path.startswith(("/tmp", "/var/run/")) and path not in LAST] == []
    assert "/var/lib/setscrew" in mounts


def test_it_listens_where_the_manifests_say() -> None:
    ports = [str(one["containerPort"]) for container in pod()["containers"] for one in container.get("ports", ())]
    assert said(LAST, "EXPOSE") == [" ".join(ports)]


def test_its_home_is_a_place_that_can_be_written() -> None:
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in pod()["containers"][0]["volumeMounts"]}
    (home,) = re.findall(r"\bHOME=(\S+)", LAST)
    assert mounts[home] is False


@pytest.mark.parametrize("name", ["title", "description", "licenses", "version", "revision", "created", "base.name"])
def test_its_labels_say_what_it_is_and_what_of(name: str) -> None:
    assert len(re.findall(rf'org\.opencontainers\.image\.{re.escape(name)}="[^"]+"', LAST)) == 1


def test_its_labels_come_from_what_the_build_is_told() -> None:
    facts = set(re.findall(r"\$\{([A-Z]+)\}", " ".join(said(LAST, "LABEL"))))
    assert facts == {"BASE", "VERSION", "REVISION", "CREATED"}
    assert facts == {one.partition("=")[0] for one in said(LAST, "ARG")}


def test_its_license_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f'image.licenses="{project["license"]}"' in LAST


def test_the_entry_point_hands_signals_on_and_buries_the_dead() -> None:
    assert said(LAST, "ENTRYPOINT") == ['["tini", "--", "setscrew"]']
