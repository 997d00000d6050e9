"""Holds "In a cluster" of docs/reference/configuration.md to the code and the manifests: names, ports, options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cluster import pod
from reconciler.model import own
from setscrew.cli import main as setscrew

ROOT = Path(__file__).parents[3]
BASE = ROOT / "manifests" / "base"
LEVERS = ROOT / "manifests" / "components" / "levers" / "policy.yaml"
# Names of what is no object, label, file or group of an installation in a cluster.
ELSEWHERE = {"GROUP", "VERSION", "API_VERSION", "ENTRY_SUFFIX", "SERVICE_ACCOUNT", "CANONICALIZER", "CANARY"}


def page() -> str:
    _, _, rest = (ROOT / "docs" / "reference" / "configuration.md").read_text().partition("\n## In a cluster\n")
    return rest.partition("\n## ")[0]


def said(text: str) -> bool:
    """Whether the page has it as a word of code, by itself or as the beginning of one."""
    return any(one == text or (text.endswith("-") and one.startswith(text)) for one in re.findall(r"`([^`]+)`", page()))


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def deployment() -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in documents(BASE / "deployment.yaml") if one["kind"] == "Deployment")
    return found


def names() -> list[tuple[str, str]]:
    """Each name of `reconciler.model.own` that an operator of a cluster meets."""
    found = {name: value for name, value in vars(own).items() if name.isupper() and isinstance(value, str)}
    return [(name, value) for name, value in found.items() if name not in ELSEWHERE]


@pytest.mark.parametrize(("constant", "name"), names())
def test_every_name_of_an_installation_stands_on_the_page(constant: str, name: str) -> None:
    assert said(name), constant


def test_every_account_and_namespace_of_the_base_stands_on_the_page() -> None:
    places = [*documents(BASE / "service-accounts.yaml"), *documents(BASE / "namespace.yaml"), *documents(LEVERS)]
    found = {one["metadata"]["name"] for one in places} - {"setscrew-admission"}
    assert [name for name in sorted(found) if not said(name)] == []


def test_every_port_of_the_services_stands_on_the_page() -> None:
    (serve,) = deployment()["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in serve["ports"]}
    assert [port for port in ports.values() if not re.search(rf"\b{port}\b", page())] == []
    for service in documents(BASE / "service.yaml"):
        (port,) = service["spec"]["ports"]
        row = next(line for line in page().splitlines() if line.startswith(f"| `{service['metadata']['name']}` |"))
        assert re.match(rf"\| `[\w-]+` \| {port['port']} \| port {ports[port['targetPort']]}\b", row)


def test_every_argument_variable_and_place_of_the_containers_stands_on_the_page() -> None:
    spec = deployment()["spec"]["template"]["spec"]
    for container in (*spec["initContainers"], *spec["containers"]):
        options = [one.partition("=") for one in container["args"] if one.startswith("--")]
        assert [name for name, _, _ in options if not said(name)] == []
        assert [value for _, _, value in options if value.startswith("/") and not said(value)] == []
        assert [one["name"] for one in container.get("env", ()) if not said(one["name"])] == []
    assert said(pod.HOST)
    assert said(pod.PORT)


def test_every_option_of_a_pod_alone_stands_on_the_page_and_is_one() -> None:
    commands = [setscrew.get_command(None, name) for name in ("reconcile", "serve")]  # type: ignore[arg-type] # unused
    options = {option for one in commands if one for parameter in one.params for option in parameter.opts}
    assert {"--in-cluster", "--pod-name", "--service-account"} <= options
    table = page().partition("| option, variable |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(--[\w-]+)`", table)) - options == set()
