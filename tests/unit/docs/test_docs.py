"""Holds the documents to the code: commands, policy fields, variables and limits are named, links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from reconciler import limits
from reconciler.errors import UsageError
from reconciler.policy import model
from reconciler.render import spec as render
from reconciler.render.edits import parse_edits
from reconciler.snapshot.model import MemorySnapshot, SourceState
from reconciler.source import spec as source
from setscrew import configuration
from setscrew.cli import main as setscrew
from tests.support.tools import tool
from webhook.api import configuration as receivers
from webhook.decision.types import Decision
from webhook.server.board import COLUMN, Board
from webhook.server.meter import RowMeter
from webhook.server.metrics import PREFIX, Exposition
from webhook.settings import AdmissionSettings

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def read(name: str) -> str:
    return (DOCS / name).read_text()


def section(text: str, heading: str) -> str:
    """The text below a heading, up to the next of the same rank."""
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def anchors(page: Path) -> set[str]:
    """Anchors as code hosts make them of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in LINK.findall(FENCE.sub("", page.read_text())):
            if not target.startswith(("http://", "https://", "mailto:")):
                yield page, target


def generator() -> ModuleType:
    return tool("generate_cli_docs")


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert read("reference/cli.md") == generator().page(), "run: .venv/bin/python tools/generate_cli_docs.py"


@pytest.mark.parametrize("name", sorted(setscrew.list_commands(None)))  # type: ignore[arg-type] # it asks for nothing
def test_every_command_and_option_is_documented(name: str) -> None:
    command = setscrew.get_command(None, name)  # type: ignore[arg-type] # as above
    assert command is not None
    text = section(read("reference/cli.md"), f"setscrew {name}")
    options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    assert [option for option in options if option not in text] == []


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("DriftPolicy", model.Policy),
        ("DriftPolicy", model.Match),
        ("DriftPolicy", model.Writer),
        ("DriftPolicy", model.Delegation),
        ("MaskRules", model.MaskRule),
        ("SteeringRules", model.SteeringRule),
        ("SteeringRules", model.OptOut),
        ("ListRules", model.ListRule),
        ("SemanticRules", model.SemanticRule),
        ("ScalerRules", model.ScalerRule),
        ("CodeRules", model.CodeRule),
        ("GrantRules", model.GrantRules),
        ("GpuClasses", model.GpuClass),
    ],
)
def test_every_field_of_a_policy_document_is_documented(heading: str, kind: type) -> None:
    text = section(read("reference/policy.md"), heading)
    assert [name for field in fields(kind) if f"`{(name := camel(field.name))}`" not in text and name != "name"] == []


def test_every_kind_of_document_is_documented() -> None:
    text = read("reference/policy.md") + read("reference/configuration.md")
    assert [kind for kind in configuration.KINDS if f"## {kind}\n" not in text] == []
    everywhere = {camel(field.name) for field in fields(model.Rules)} - {
        *("policies", "masks", "steering", "lists", "delegations", "semantics"),
        *("scalers", "code", "grants", "gpuClasses", "migModels"),
    }
    assert [name for name in sorted(everywhere) if f"`{name}`" not in text] == []


def known(parse: Callable[[dict[str, int]], object]) -> list[str]:
    """The fields that a parser says it knows, when it meets another."""
    with pytest.raises(UsageError) as caught:
        parse({"no such field": 1})
    return caught.value.hint.removeprefix("known: ").split(", ")


def test_every_field_of_a_source_and_a_receiver_is_documented() -> None:
    text = read("reference/configuration.md")
    of_source = [*source._SPEC_FIELDS, *known(render.parse_render), *known(lambda one: parse_edits(one, "kustomize"))]
    assert [name for name in of_source if f"`{name}`" not in section(text, "GitSource")] == []
    assert [name for name in receivers._SPEC if f"`{name}`" not in section(text, "Receiver")] == []


def test_every_variable_of_the_admission_server_is_documented() -> None:
    text = read("reference/configuration.md")
    assert [name for name in AdmissionSettings(Path()).environment() if f"`{name}`" not in text] == []


def test_metrics_and_their_page_name_the_same() -> None:
    board = Board()
    board.row(1)[COLUMN["beat"]] = board.row(1)[COLUMN["published"]] = board.row(1)[COLUMN["certificate_end"]] = 1.0
    RowMeter(board.row(1)).decided(Decision(True, "conforms"), 0.001)
    shop = SourceState("shop", "url", "path", "revision", "commit")
    exposition = Exposition(board, lambda: MemorySnapshot((), model.Rules(()), {"shop": shop}), lambda: 2.0)
    told = {}
    for family in exposition.collect():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = family.name.removeprefix(PREFIX) + ("_total" if family.type == "counter" else "")
        told[name] = (family.type, sorted(labels))
    table = re.findall(
        r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) ?\|",
        section(read("reference/metrics.md"), "Admission server"),
        re.MULTILINE,
    )
    assert {name: (kind, sorted(re.findall(r"`(\w+)`", labels))) for name, kind, labels in table} == told


def test_alerts_name_metrics_that_there_are() -> None:
    text = read("reference/metrics.md")
    named = set(re.findall(r"setscrew_admission_(\w+)", text)) - {""}
    assert len(named) > 8
    known = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert {name for name in named if name.removesuffix("_bucket") not in known} == set()


def test_limits_that_are_documented_exist() -> None:
    named = set(re.findall(r"`([A-Z]{2,}(?:_[A-Z]+)+)`", section(read("reference/configuration.md"), "Limits")))
    assert len(named) > 20
    assert {name for name in named if not hasattr(limits, name)} == set()


def test_examples_of_documents_are_accepted(tmp_path: Path) -> None:
    """Each YAML block that is a document of ours parses as one."""
    seen = 0
    for page in PAGES:
        for block in re.findall(r"^```yaml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            for document in yaml.safe_load_all(block):
                if isinstance(document, dict) and str(document.get("apiVersion", "")).startswith("setscrew.dev/"):
                    (tmp_path / f"{seen}.yaml").write_text(yaml.safe_dump(document))
                    receivers.parse_receivers([document])
                    configuration.load(tmp_path / f"{seen}.yaml")
                    seen += 1
    assert seen >= 5


def test_links_inside_the_repository_lead_somewhere() -> None:
    broken = []
    for page, target in links():
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_targets_of_make_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = {
        name
        for page in PAGES
        for span in re.findall(r"`make ([a-z-]+)[^`]*`|^make ([a-z-]+)", page.read_text(), re.MULTILINE)
        for name in span
        if name
    }
    assert {"demo", "test"} <= code
    assert code - targets == set()


def test_commands_that_are_named_exist() -> None:
    named = {
        name
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for name in re.findall(r"(?:`|^|\$ |bin/)setscrew ([a-z]+(?:-[a-z]+)*)", page.read_text(), re.MULTILINE)
    }
    assert named - set(setscrew.list_commands(None)) == set()  # type: ignore[arg-type] # it asks for nothing


def test_directories_that_the_readme_names_exist() -> None:
    layout = section((ROOT / "README.md").read_text(), "Layout")
    named = re.findall(r"`([a-z]+)/`", layout)
    assert {"webhook", "reconciler", "setscrew"} <= set(named)
    assert [name for name in named if not (ROOT / name).is_dir()] == []


def test_the_layers_of_the_architecture_are_the_contracts() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one.get("containers") == ["reconciler"])
    expected = [sorted(re.findall(r"[a-z]+", layer)) for layer in layers]
    text = section(read("architecture.md"), "Packages, from the top down")
    rows = re.findall(r"^\| ((?:`[a-z]+`(?: · |, )?)+) \|", text.partition("**`reconciler`**")[2], re.MULTILINE)
    assert [sorted(re.findall(r"[a-z]+", row)) for row in rows] == expected


def test_each_decision_has_a_number_of_its_own_and_a_line_in_the_list() -> None:
    pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    heads = {page.name: page.read_text().splitlines()[0].removeprefix("# ").split(": ", 1) for page in pages}
    assert [int(name[:4]) for name in heads] == list(range(1, len(pages) + 1))
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+?) \|", read("decisions/README.md"), re.MULTILINE)
    assert listed == [(number, name, title) for name, (number, title) in heads.items()]


def test_no_page_names_a_path_of_one_machine() -> None:
    assert [str(page) for page in PAGES if re.search(r"/(work|root)/|setscrew-demo-\w{6,}", page.read_text())] == []
