"""`setscrew check` over small repositories: what it finds, where, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from setscrew.cli import main
from setscrew.configuration import builtin_policies
from tests.unit.loop.test_ruling import CLASS, IMPOSSIBLE, LAYOUT

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\n"
POLICY = "apiVersion: setscrew.dev/v1alpha1\nkind: DriftPolicy\nmetadata: {name: mine}\nspec:\n  action: %s\n"
QUEUE_AND_CRD = """\
apiVersion: kueue.x-k8s.io/v1beta1
kind: LocalQueue
metadata: {name: mine, namespace: shop}
spec: {}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: localqueues.kueue.x-k8s.io}
spec:
  group: kueue.x-k8s.io
  scope: Namespaced
  names: {kind: LocalQueue, plural: localqueues}
  versions:
  - name: v1beta2
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
Found = list[tuple[str, str, str, int]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(place: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


def findings(*arguments: str) -> list[dict[str, Any]]:
    result = run(*arguments, "-o", "json")
    report = json.loads(result.stdout)
    assert list(report) == ["findings"]
    assert result.exit_code == any(one["severity"] == "error" for one in report["findings"])
    return list(report["findings"])


def found(*arguments: str) -> Found:
    return [(one["rule"], one["severity"], one["file"], one["line"]) for one in findings(*arguments)]


def test_a_repository_without_fault_has_no_findings(place: Path) -> None:
    write(
        place,
        {"a/one.yaml": CONFIG % "one", "b/two.yaml": CLASS % "two", "README.md": "x", "gpu.yaml": LAYOUT % (1, "")},
    )
    assert findings(".") == []
    assert run(".").stdout == ""


def test_a_finding_has_all_its_fields_and_the_line_of_the_value_in_the_document(place: Path) -> None:
    write(place, {"gpu/mig.yaml": CONFIG % "one" + "---\n" + LAYOUT % (1, IMPOSSIBLE)})
    (one,) = findings(".")
    assert list(one) == ["rule", "severity", "file", "line", "object", "message", "fix"]
    assert (one["rule"], one["file"], one["line"]) == ("MIG-04", "gpu/mig.yaml", 16)
    assert one["object"] == "ConfigMap gpu-operator/layouts"
    assert "1g.5gb" in one["message"]


def test_one_bad_file_hides_nothing_of_the_others(place: Path) -> None:
    write(
        place,
        {
            "a.yaml": "apiVersion: v1\nkind: [\n",
            "b.yaml": LAYOUT % (1, IMPOSSIBLE),
            "c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n",
            "d.yaml": POLICY % "Refuse",
            "e.yaml": CLASS % "one" + "---\n" + CLASS % "two",
        },
    )
    assert {one[:3] for one in found(".")} == {
        ("SS3001", "error", "a.yaml"),
        ("MIG-04", "error", "b.yaml"),
        ("SS3007", "error", "c.yaml"),
        ("SS1000", "error", "d.yaml"),
        ("DRA-04", "error", "e.yaml"),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CONFIG % "one" + "data: {a: 1}\n", ("SS3013", "error", 4)),
        (CONFIG % "one" + "date: {a: b}\n", ("SS3102", "warning", 4)),
        (CONFIG % "one" + "data: {a: b, a: c}\n", ("SS3103", "warning", 4)),
        (CONFIG % "one" + "---\n" + CONFIG % "one", ("SS3008", "error", 5)),
        ("apiVersion: shop.example.com/v1\nkind: Cart\nmetadata: {name: one}\n", ("SS3009", "warning", 1)),
        ("apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: one}\n", ("SS3012", "warning", 1)),
        (QUEUE_AND_CRD, ("SS3012", "warning", 1)),
        (POLICY % "Refuse", ("SS1000", "error", 5)),
        ("apiVersion: setscrew.dev/v1alpha1\nkind: Policy\nmetadata: {name: mine}\n", ("SS1000", "error", 2)),
        (f"a: {'[' * 200}\n", ("SS3025", "error", 1)),
        ("foo: bar\n", ("SS3007", "error", 1)),
    ],
)
def test_what_is_wrong_with_one_file(place: Path, text: str, expected: tuple[str, str, int]) -> None:
    write(place, {"one.yaml": text})
    assert [(rule, severity, line) for rule, severity, _, line in found("one.yaml")] == [expected]


def test_a_kind_that_nobody_knows_is_told_once_and_known_by_context(place: Path) -> None:
    carts = "---\n".join(f"apiVersion: shop.example.com/v1\nkind: Cart\nmetadata: {{name: c{i}}}\n" for i in range(3))
    crd = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: carts.shop.example.com}
spec:
  group: shop.example.com
  names: {kind: Cart, plural: carts}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"""
    write(place, {"in/carts.yaml": carts, "crd.yaml": crd})
    (one,) = findings("in")
    assert (one["rule"], one["line"], "2 more" in one["message"]) == ("SS3009", 1, True)
    assert findings("in", "--context", "crd.yaml") == []


def test_live_objects_of_the_context_are_looked_at_and_not_judged(place: Path) -> None:
    write(place, {"in/one.yaml": CLASS % "one", "live.yaml": CLASS % "two" + "---\n" + LAYOUT % (1, IMPOSSIBLE)})
    assert findings("in") == []
    assert {one[0] for one in found("in", "--context", "live.yaml")} == {"DRA-04"}


RULES = """\
apiVersion: setscrew.dev/v1alpha1
kind: Delegations
rules:
- rule: ours
  to: [{serviceAccount: gpus/gpu-operator}]
  kinds: [Node]
  %s: [/metadata/labels/nvidia.com~1gpu.present]
"""
PROFILES = """\
apiVersion: setscrew.dev/v1alpha1
kind: MigProfiles
metadata: {name: ours}
spec:
  models:
  - {name: A100-40GB, shape: %s, memoryGiB: 40, pciIds: ['0x20B010DE'], product: '^NVIDIA-A100(-|$)'}
"""


@pytest.mark.parametrize("arguments", [["in", "--context", "mig.yaml"], ["."]])
def test_profiles_of_ones_own_count_in_the_files_and_in_the_context(place: Path, arguments: list[str]) -> None:
    write(place, {"in/one.yaml": LAYOUT % (1, ""), "mig.yaml": PROFILES % "four-slices"})
    assert findings("in") == []
    (one,) = findings(*arguments)
    assert (one["rule"], one["severity"], "3g.20gb" in one["message"]) == ("MIG-02", "error", True)


def test_profiles_of_a_shape_that_nobody_knows_are_found_in_the_files_and_no_context(place: Path) -> None:
    write(place, {"in/one.yaml": CONFIG % "one", "mig.yaml": PROFILES % "nine-slices"})
    (one,) = findings("mig.yaml")
    assert (one["rule"], one["severity"], "nine-slices" in one["message"]) == ("SS1000", "error", True)
    refused = run("in", "--context", "mig.yaml")
    assert (refused.exit_code > 1, refused.stdout) == (True, "")


def test_rules_need_no_name_here_as_they_need_none_where_they_are_read(place: Path) -> None:
    write(place, {"mine.yaml": RULES % "paths"})
    assert findings(".") == []
    assert findings(str(builtin_policies())) == []
    write(place, {"mine.yaml": RULES % "pathes"})
    (one,) = findings(".")
    assert (one["rule"], one["line"], one["message"]) == ("SS1000", 7, "rules[0]: unknown field 'pathes'")


def test_what_is_no_manifest_is_passed_over_unless_it_lies_beside_manifests(place: Path) -> None:
    write(
        place,
        {
            ".github/ci.yaml": "on: [push\n",
            "docs/mkdocs.yml": "site_name: x\nnav: !!python/name:x y\n",
            "deploy/one.yaml": CONFIG % "one",
            "deploy/values.yaml": "replicas: 1\n",
        },
    )
    rules = {(rule, severity, file) for rule, severity, file, _ in found(".")}
    assert rules >= {("SS3007", "warning", "deploy/values.yaml")}
    assert "error" not in {severity for _, severity, _ in rules}
    assert not [file for _, _, file in rules if file.startswith(".github")]


def test_directories_that_declare_the_same_object_are_judged_as_different_clusters(place: Path) -> None:
    write(place, {f"{one}/{name}.yaml": CLASS % name for one in ("prod", "staging") for name in ("one",)})
    write(place, {"staging/more.yaml": CONFIG % "m"})
    assert findings(".") == []
    write(place, {"common/two.yaml": CLASS % "two"})
    assert {(one["rule"], one["file"]) for one in findings(".")} == {
        ("DRA-04", "common/two.yaml"),
        ("DRA-04", "prod/one.yaml"),
        ("DRA-04", "staging/one.yaml"),
    }


@pytest.mark.parametrize("arguments", [["missing"], [".", "--context", "missing"], [".", "-o", "xml"], []])
def test_wrong_use_is_no_finding(place: Path, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code > 1, result.stdout) == (True, "")


def test_links_that_lead_out_are_found_and_not_followed(place: Path) -> None:
    write(place, {"in/one.yaml": CONFIG % "one", "secret.yaml": LAYOUT % (1, IMPOSSIBLE)})
    (place / "in" / "link.yaml").symlink_to(place / "secret.yaml")
    assert found("in") == [("SS3005", "error", "in/link.yaml", 1)]


def test_people_read_a_table_and_programs_yaml(place: Path) -> None:
    write(place, {"one.yaml": LAYOUT % (1, IMPOSSIBLE)})
    assert "one.yaml:12" in run("one.yaml").stdout
    assert run("one.yaml", "-o", "yaml").stdout.startswith("findings:\n- rule: MIG-04\n")
