"""Holds what a reader may count on in every file: short modules that say what they own, and nothing of one machine."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from setscrew.controlplane import pins as pins_of_tools
from tests.support.order import ORDER, OTHERS, ranks

ROOT = Path(__file__).parents[2]
CODE = ("webhook", "reconciler", "setscrew")
MODULES = sorted(path for package in CODE for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-wheel.txt")

MODULE_LINES = 300
# All limits stand in one place, a line each: a table, not code.
TABLES = {"reconciler/limits.py"}
FUNCTION_LINES = 60


Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function))


def test_the_code_that_is_checked_is_there() -> None:
    assert {ROOT / package / "__init__.py" for package in CODE} <= set(MODULES)
    assert Path(__file__) in TESTS


def test_the_order_of_tests_names_files_that_are_there() -> None:
    assert [name for name in ranks(ORDER.read_text()) if name != OTHERS and not (ROOT / name).is_file()] == []


def test_no_module_is_over_300_lines() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES and name not in TABLES} == {}


def test_no_function_is_over_60_lines() -> None:
    spans = {
        f"{name_of(path)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in functions(path)
    }
    assert {name: length for name, length in spans.items() if length > FUNCTION_LINES} == {}


def test_every_module_says_what_it_owns() -> None:
    assert [name_of(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))] == []


CHECK = re.compile(r"pytest\.(raises|warns|fail)|\b_?(assert|check|expect|eventually)\w*\(")


def checks(test: Function) -> bool:
    """A test checks something itself, or through a helper whose name says so."""
    return any(isinstance(node, ast.Assert) for node in ast.walk(test)) or bool(CHECK.search(ast.unparse(test)))


def test_no_test_is_without_a_check() -> None:
    tests = [(path, node) for path in TESTS for node in functions(path) if node.name.startswith("test_")]
    assert [f"{name_of(path)}:{node.name}" for path, node in tests if not checks(node)] == []


def pins(name: str) -> dict[str, str]:
    """Each locked distribution and all that the lock says of it, by its name in lower case."""
    blocks = re.split(r"\n(?=[a-zA-Z])", (ROOT / name).read_text())
    return {block.partition("==")[0].lower(): block for block in blocks if not block.startswith("#")}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_name_no_index_or_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|--trusted-host|^\s*-[if] ", text, re.MULTILINE) == []


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_with_a_hash(name: str) -> None:
    assert len(pins(name)) > (3 if name == "requirements-wheel.txt" else 20)
    assert [block for block in pins(name).values() if "==" not in block or "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("part", ["requirements.txt", "requirements-wheel.txt"])
def test_locks_agree(part: str) -> None:
    everything = pins("requirements-dev.txt")
    assert {name for name, block in pins(part).items() if everything.get(name, "").strip() != block.strip()} == set()


def test_what_builds_the_wheel_is_locked_for_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split(r"[><=!~; \[]", line)[0].lower() for line in project["build-system"]["requires"]}
    assert wanted == {re.split(r"[><=!~; \[]", line)[0] for line in project["dependency-groups"]["wheel"]}
    assert wanted - pins("requirements-wheel.txt").keys() == set()


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[><=!~; \[]", line)[0].lower() for line in project["dependencies"]}
    assert wanted - pins("requirements.txt").keys() == set()


def own_files() -> list[Path]:
    """Text that people read or programs run: no caches, no environment, no lock files of tools."""
    tops = [*CODE, "tests", "policies", "manifests", "examples", "docs", "bench", "tools", ".ci"]
    files = [path for top in tops for path in (ROOT / top).rglob("*") if path.is_file()]
    files += [path for path in ROOT.iterdir() if path.is_file()]
    return [path for path in files if "__pycache__" not in path.parts and path != Path(__file__)]


MACHINE = re.compile(rb"/(?:work|root)/[a-z.]|\.pyenv")


def test_no_file_names_a_path_of_one_machine() -> None:
    files = own_files()
    assert len(files) > 50
    assert [name_of(path) for path in files if MACHINE.search(path.read_bytes())] == []


RBAC = list(yaml.safe_load_all((ROOT / "manifests/base/rbac.yaml").read_text()))
RULES = [
    pytest.param(rule, id=f"{document['metadata']['name']}-{index}")
    for document in RBAC
    if document["kind"] in {"ClusterRole", "Role"}
    for index, rule in enumerate(document["rules"])
]
OURS = {"setscrew", "setscrew-canonicalizer"}
RESOURCES = [rule for rule in RULES if "resources" in rule.values[0]]


@pytest.mark.parametrize("rule", RULES)
def test_rights_that_destroy_reach_only_setscrews_own_objects(rule: dict[str, list[str]]) -> None:
    forbidden = {"*", "deletecollection", "impersonate"} & set(rule["verbs"])
    assert forbidden == set()
    if "delete" in rule["verbs"]:
        assert rule["resourceNames"]
        assert set(rule["resourceNames"]) <= OURS


@pytest.mark.parametrize("rule", RESOURCES)
def test_rights_to_write_never_reach_a_whole_api(rule: dict[str, list[str]]) -> None:
    """With "*" the canonicalizer could rewrite the policy that holds it: no policy can judge such a write."""
    if set(rule["verbs"]) - {"get", "list", "watch"}:
        assert "*" not in rule["apiGroups"]
    if "admissionregistration.k8s.io" in rule["apiGroups"]:
        assert "*" not in rule["resources"]


def test_of_what_is_no_resource_the_metrics_of_the_api_server_are_read_and_nothing_else() -> None:
    others = [rule.values[0] for rule in RULES if rule not in RESOURCES]
    assert others == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]


def test_no_service_account_mounts_a_token_by_itself() -> None:
    accounts = list(yaml.safe_load_all((ROOT / "manifests/base/service-accounts.yaml").read_text()))
    assert len(accounts) == 5
    assert {account["automountServiceAccountToken"] for account in accounts} == {False}


def test_the_image_builds_the_pinned_versions() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for module in (pins_of_tools.HELM, pins_of_tools.KUBERNETES):
        assert " ".join(re.sub(r"\\\n", " ", dockerfile).split()).count(module.ldflags) == 1


def test_the_image_is_given_every_directory_that_the_wheel_is_made_of() -> None:
    """The wheel would be built without one that is missing, and lack it without a word."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = set(re.findall(r"^COPY (\w+)/ \1/$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(wheel["only-include"]) <= copied & let_in
